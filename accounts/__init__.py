"""Who people are: users, brands, staff, customers and the identifiers that belong to them."""
