"""``python -m loyalty.demo.birdsong``: make Birdsong ready and serve it, until stopped."""

import os
import sys
from wsgiref.simple_server import WSGIServer

import django
import psycopg
from psycopg import sql

from loyalty.demo.birdsong import settings


def main() -> None:
    """Database, key, people and application, each made where missing; then serve."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "loyalty.demo.birdsong.settings"
    django.setup()
    from django.core.management import call_command

    from loyalty.demo.birdsong.provider import make_key

    make_database()
    make_key()
    call_command("migrate", verbosity=0, interactive=False)
    make_people()
    serve(settings.PORT)


def make_database() -> None:
    """Birdsong's database, beside Laurel's on the same server."""
    from django.db import connection

    parameters = connection.get_connection_params() | {"dbname": settings.LAUREL_DATABASE}
    known = {
        key: parameters[key]
        for key in ("dbname", "user", "password", "host", "port")
        if key in parameters
    }
    with psycopg.connect(**known, autocommit=True) as server:
        found = server.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [settings.DATABASE]
        ).fetchone()
        if found is None:
            server.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(
                    sql.Identifier(settings.DATABASE)
                )
            )


def make_people() -> None:
    """Everybody with their password, and Laurel as an application that may ask who they are."""
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.models import User

    from loyalty.demo.birdsong.people import BIRDS, PASSWORD

    for bird in BIRDS:
        first, _space, last = bird.name.partition(" ")
        user, is_new = User.objects.get_or_create(
            pk=bird.number,
            defaults={"username": bird.handle, "first_name": first, "last_name": last},
        )
        if is_new:
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
    client_id, secret = settings.CLIENT
    client = Client.objects.filter(pk=client_id).first() or Client(id=client_id, name="Laurel")
    client.set_secret(secret)
    client.set_scopes(["openid", "profile"])
    client.set_redirect_uris(settings.CALLBACKS)
    client.save()


def serve(port: int) -> None:
    """Serve on this machine only, each request in a thread."""
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Leave codes and tickets out of the log."""

    server: WSGIServer = ThreadedWSGIServer(("127.0.0.1", port), Quiet)
    server.set_app(get_wsgi_application())
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
