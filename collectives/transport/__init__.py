"""The sockets: how ranks meet, their connections, and the loop that moves a program's bytes. No decisions here."""
