"""The documentation site: the pages of docs/, and a page for every requirement, made from the contract."""
