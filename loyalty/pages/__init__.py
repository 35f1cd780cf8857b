"""The pages customers see, one file per area, with the forms beside them."""
