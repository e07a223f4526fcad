"""The only wiring: makes the parts (`assembling`), starts them in order and stops them in reverse (`running`), and
serves them over HTTP (`serving`)."""
