"""What a reader may rely on: the values of the marts, stated as data (suites/*.yml) and run by one small runner."""
