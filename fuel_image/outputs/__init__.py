"""What a request asks for besides partition images."""
