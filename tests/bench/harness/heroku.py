"""Heroku's APIs, as one would ask them with curl: an app with a database, a restore by URL, and waiting for it."""
import json
import time
import urllib.error
import urllib.request

from harness.measure import Failed

POLL = 0.1                           # seconds: nobody's wall time shall be that of waiting for the next look


class Heroku:
    def __init__(self, env):
        self.base, self.token = env["HEROKU_HOST"], env["HEROKU_API_KEY"]

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method, headers={
            "Authorization": "Bearer " + self.token, "Accept": "application/vnd.heroku+json; version=3",
            "Content-Type": "application/json"}, data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def app_with_database(self, app, plan):
        """Makes both, and gives the add-on's id once it is there."""
        self.ask("POST", "/apps", {"name": app})
        addon = self.ask("POST", f"/apps/{app}/addons", {"plan": "heroku-postgresql:" + plan})["id"]
        while self.ask("GET", f"/addons/{addon}")["state"] == "provisioning":
            time.sleep(POLL)
        return addon

    def url(self, app):
        """Of the app's database."""
        return self.ask("GET", f"/apps/{app}/config-vars")["DATABASE_URL"]

    def restore(self, app, addon, url):
        """Asks for a restore, and waits for its end. Gives the seconds that it took."""
        begun = time.monotonic()
        number = self.ask("POST", f"/client/v11/databases/{addon}/restores", {"backup_url": url})["num"]
        while True:
            transfer = self.ask("GET", f"/client/v11/apps/{app}/transfers/{number}?verbose=true")
            if transfer["finished_at"]:
                break
            time.sleep(POLL)
        if not transfer["succeeded"] or transfer["warnings"]:
            raise Failed("the restore did not go well: " + json.dumps(transfer.get("logs", [])[-5:]))
        return time.monotonic() - begun

    def delete(self, app):
        """Takes the app away, with its database. One that was never made is no trouble."""
        try:
            self.ask("DELETE", f"/apps/{app}")
        except urllib.error.HTTPError as why:
            if why.code != 404:
                raise
