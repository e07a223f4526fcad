"""The ground that a farm needs at a cloud provider: designed as data, compared with what is there, made and removed."""
