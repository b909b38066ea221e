"""Contracts as a person enters, changes, looks at and ends them: the picture follows what is typed."""

import pytest
from playwright.sync_api import Page, expect

from reservations.models import Contract
from tests.browser.support.looking import look
from tests.browser.support.market import Market, point

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_clerk_enters_a_contract(kim: Page, market: Market) -> None:
    page = kim
    page.goto(f"{page.url}reservations/contract/")
    page.get_by_role("link", name="Add contract").click()
    page.get_by_label("DSO").fill("stroomnet.example")
    page.get_by_label("AGR").fill("flexwerk.example")
    page.get_by_label("ContractID").fill("SN-FW-2026-07")
    page.get_by_label("Congestion point").fill(point("harbour"))
    page.get_by_label("First day").fill("2026-07-01")
    page.get_by_label("Last day").fill("2027-06-30")
    look(page, "contract-add")
    page.get_by_label("ContractID").press("Enter")
    expect(page.get_by_label("ContractID")).to_have_value("SN-FW-2026-07")
    expect(page.get_by_text("is entered.")).to_have_count(0)

    page.get_by_label("From", exact=True).fill("07:00")
    page.get_by_label("to", exact=True).fill("22:00")
    page.get_by_label("Watts", exact=True).fill("250000")
    page.get_by_label("Watts", exact=True).press("Enter")
    expect(page.get_by_role("status")).to_contain_text("07:00–22:00")
    page.get_by_label("From", exact=True).fill("17:00")
    page.get_by_label("to", exact=True).fill("20:00")
    page.get_by_label("Watts", exact=True).fill("-400000")
    page.get_by_role("button", name="Fill in").click()
    page.get_by_label("Every day", exact=True).uncheck()
    for day in ("Saturday", "Sunday"):
        page.get_by_label(day, exact=True).check()
    page.get_by_role("button", name="Reserve nothing").click()
    for day in ("Saturday", "Sunday"):
        page.get_by_label(day, exact=True).uncheck()
    page.locator('[name="for_day"]').fill("2026-10-25")
    page.get_by_label("From", exact=True).fill("01:00")
    page.get_by_label("to", exact=True).fill("04:00")
    page.get_by_label("Watts", exact=True).fill("100000")
    page.get_by_role("button", name="Fill in").click()
    look(page, "contract-editor")

    page.get_by_label("Watts of stretch 1, Every day").fill("25x")
    expect(page.locator("#row-every-0")).to_contain_text("Give a whole number of watts")
    look(page, "contract-editor-wrong")
    page.get_by_label("Watts of stretch 1, Every day").fill("300000")
    expect(page.locator("#row-every-0")).not_to_contain_text("Give a whole number")
    page.get_by_label("In force on its days").check()
    page.get_by_label("Reason").fill("The contract was signed on 30 June.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Contract SN-FW-2026-07 is entered.")).to_be_visible()
    page.get_by_text("Every day as a table").click()
    look(page, "contract")
    contract = Contract.objects.get(contract_id="SN-FW-2026-07")

    page.get_by_role("link", name="Change …").click()
    page.get_by_label("Last day").fill("2026-12-31")
    page.get_by_label("Reason").fill("It ends with the year.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("this is version 2")).to_be_visible()
    page.get_by_role("link", name="1", exact=True).click()
    look(page, "contract-version")
    page.get_by_role("link", name="The contract as it is").click()

    page.get_by_role("link", name="End …").click()
    page.get_by_label("Last day").fill("2026-09-30")
    expect(page.locator("#preview")).to_contain_text("Updates for days after 2026-09-30 are rejected")
    page.get_by_label("Reason").fill("Both parties agreed.")
    look(page, "contract-end")
    page.get_by_role("button", name="End the contract").click()
    expect(page.get_by_text("Contract SN-FW-2026-07 ends with 2026-09-30.")).to_be_visible()
    assert contract.versions.count() == 3
    page.goto(f"{page.url.partition('/reservations/')[0]}/reservations/contract/")
    look(page, "contracts")


def test_two_clerks_change_a_contract_at_once(kim: Page, market: Market) -> None:
    page = kim
    contract = Contract.objects.get(contract_id="HARBOUR-2026")
    page.goto(f"{page.url}reservations/contract/{contract.pk}/change/")
    look(page, "contract-with-updates")
    page.get_by_role("link", name="Change …").click()
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Last day").fill("2027-01-31")
    other.get_by_label("Reason").fill("It goes on into January.")
    other.get_by_role("button", name="Save", exact=True).click()
    expect(other.get_by_text("is changed: this is version")).to_be_visible()
    other.close()

    past = page.locator("#retroactive")
    expect(past).to_contain_text("Of those that are past, ")
    before = past.inner_text()
    page.get_by_label("First day").fill("2026-06-01")
    expect(past).not_to_have_text(before, use_inner_text=True)
    expect(past).to_contain_text("at present, ")
    look(page, "contract-change")
    page.get_by_label("First day").fill("2026-01-01")
    expect(past).to_have_text(before, use_inner_text=True)

    page.get_by_label("Every day", exact=True).uncheck()
    page.get_by_label("Saturday", exact=True).check()
    page.get_by_label("Paste lines, or a column").fill("00:00-08:00 100000\n1-4 x")
    page.get_by_role("button", name="Use these lines").click()
    expect(page.get_by_text("line 2: “1-4 x” is not like")).to_be_visible()
    look(page, "contract-tool-wrong")
    page.get_by_label("Paste lines, or a column").fill("00:00-08:00 100000\n33-96 50000")
    page.get_by_role("button", name="Use these lines").click()
    expect(page.get_by_role("status")).to_contain_text("Saturday has what you pasted.")
    page.get_by_label("Reason").fill("Saturdays are quieter.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Meanwhile the contract was changed by kim")
    look(page, "contract-meanwhile")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is changed: this is version")).to_be_visible()
    look(page, "contract-versions")


def test_a_clerk_puts_a_draft_in_force(kim: Page, market: Market) -> None:
    page = kim
    contract = Contract.objects.get(contract_id="STATION-A")
    page.goto(f"{page.url}reservations/contract/{contract.pk}/change/")
    page.get_by_role("link", name="Put in force …").click()
    look(page, "contract-in-force")
    page.get_by_label("Reason").fill("Both have signed.")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_text("Contract STATION-A is in force.")).to_be_visible()
    look(page, "contract-draft-in-force")
