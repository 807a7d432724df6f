"""The contract as data: operations, schemas and requirements."""
