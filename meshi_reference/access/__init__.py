"""Who may call, and how often: keys, principals, scopes and the rate limit."""
