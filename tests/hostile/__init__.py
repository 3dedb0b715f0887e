"""Whatever a client or a server may send: the other side goes on as ever, and what we say and keep stays bounded."""
