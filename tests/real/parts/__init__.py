"""A real Ceph, a real Consul and a real mail server on one machine, for tests."""
