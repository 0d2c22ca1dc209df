"""`python -m tilewright.backend.machine` prints the page of machines."""

from .page import machines_page

print(machines_page(), end="")
