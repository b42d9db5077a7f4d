"""What a shop's line brings beside the way to the acquirer: addresses by DHCP, and a name server."""
