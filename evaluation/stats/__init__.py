"""Statistics behind the numbers. Pure: plain values in, frozen values out; scipy is imported where it is used."""
