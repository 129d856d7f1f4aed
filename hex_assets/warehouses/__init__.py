"""Query logs of warehouses, a module each. A new one is a module and a line in the registry."""
