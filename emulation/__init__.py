"""Fabrics of real packets: namespaces, veths, Open vSwitch and Mininet, with a certificate of how far to trust them."""
