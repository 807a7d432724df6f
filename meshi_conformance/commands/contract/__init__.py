"""The contract as a reader sees it: catalogue, explanations, OpenAPI description, open questions, sources."""
