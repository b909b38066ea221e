"""The project that ties the apps together: settings, routes, processes, health and the embedded database."""
