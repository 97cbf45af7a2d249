"""A pretend AI inference company: its world, the four systems' views of it, planted defects, and servers that speak the APIs.

Only tests and the command line's `demo` and `sandbox` commands may import this package.
"""
