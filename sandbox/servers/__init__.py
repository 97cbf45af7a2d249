"""The company's four systems as servers: Stripe's API, Orb's API and a PostgreSQL, each over its real protocol."""
