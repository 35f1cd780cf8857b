"""Lists that leave Laurel: ``datasets`` says which rows, ``formats`` how they are written."""
