"""A server on loopback that speaks the Hugging Face hub's endpoints, with faults to order.

Repositories are dictionaries of commits; a commit is a dictionary of files. What a client sends is
kept in `requests`, so that tests can say what was asked and what was not.
"""

import base64
import hashlib
import json
import re
import urllib.parse

from tests import loopback

TOKENS = {"hf_writer": "write", "hf_reader": "read"}
LFS_FROM = 1000  # bytes


class Hub(loopback.Server):
    """The server; a fault is a status, or `"cut"` for half of the body.

    Attributes:
        repositories: From `"ORG/NAME"` to `Repository`.
        writers: Organizations that the writer's token may write to.
    """

    def __init__(self):
        self.repositories, self.objects = {}, {}
        self.writers, self.invalid_card = {"org"}, None
        super().__init__(_Handler)

    def add(self, name, files, **options):
        """Adds a repository, or a commit to its branch; returns the commit."""
        repository = self.repositories.setdefault(name, Repository(**options))
        return repository.commit(files)


class Repository:
    """One repository: commits by their hashes, and names of them."""

    def __init__(self, private=False, gated=False):
        self.private, self.gated = private, gated
        self.commits, self.names = {}, {}
        self.listed = {}  # what the hub says of files, where it is not the truth

    def commit(self, files, branch="main"):
        text = repr(sorted(files.items())) + str(len(self.commits))
        commit = hashlib.sha1(text.encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.names[branch] = commit
        return commit

    def resolve(self, revision):
        return self.names.get(revision, revision if revision in self.commits else None)


class _Handler(loopback.Handler):
    state: Hub

    def handle_request(self, body):
        self.body = body
        path = self.path.partition("?")[0]
        count = self.state.requests.count((self.command, path))
        self.state.requests.append((self.command, path))
        self.cut = False
        for fault in self.state.faults:
            found = fault(self.command, path, count)
            if found == "cut":
                self.cut = True
            elif found is not None:
                return self._json(found, {"error": "planted"})
        for pattern, answer in ROUTES:
            match = re.fullmatch(pattern, f"{self.command} {path}")
            if match:
                named = match.groupdict()
                return getattr(self, answer)(**{k: urllib.parse.unquote(named[k]) for k in named})
        return self._json(404, {"error": "no such route"})

    # ------------------------------------------------------------------ answers

    def _json(self, status, content, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(content).encode()
        headers = {"Content-Type": "application/json", **headers}
        self.answer(status, headers, body, self.cut)

    @property
    def _role(self):
        return TOKENS.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def _repository(self, name, revision):
        """A repository and its commit, or None after an answer that says what is wrong."""
        repository = self.state.repositories.get(name)
        if repository is None or (repository.private and self._role is None):
            status = 404 if self._role else 401  # the hub does not tell one from the other
            self._json(status, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return None
        if repository.gated and self.command in ("HEAD", "GET"):
            self._json(403, {"error": "gated"}, X_Error_Code="GatedRepo")
            return None
        commit = repository.resolve(revision)
        if commit is None and revision is not None:
            self._json(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
            return None
        return repository, commit

    def info(self, name, revision="main"):
        if found := self._repository(name, revision):
            repository, commit = found
            self._json(200, {
                "id": name, "modelId": name, "sha": commit, "private": repository.private,
                "siblings": [
                    _sibling(path, data) | repository.listed.get(path, {})
                    for path, data in repository.commits.get(commit, {}).items()
                ],
            })  # fmt: skip

    def resolve(self, name, revision, path):
        if found := self._repository(name, revision):
            repository, commit = found
            data = repository.commits[commit].get(path)
            if data is None:
                self._json(404, {}, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
                return
            etag = _sibling(path, data).get("lfs", {}).get("sha256") or _git_hash(data)
            headers = {
                "X-Repo-Commit": commit, "ETag": f'"{etag}"', "X-Linked-ETag": f'"{etag}"',
                "X-Linked-Size": str(len(data)), "Accept-Ranges": "bytes",
            }  # fmt: skip
            begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if begin:
                start = int(begin[1])
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
                data = data[start:]
            self.answer(206 if begin else 200, headers, data, self.cut)

    def whoami(self):
        if self._role is None:
            self._json(401, {"error": "Invalid username or password."})
            return
        self._json(200, {
            "type": "user", "name": "me", "orgs": [{"name": name} for name in self.state.writers],
            "auth": {"accessToken": {"role": self._role, "displayName": "test"}},
        })  # fmt: skip

    def create(self):
        content = json.loads(self.body)
        owner, name = content.get("organization") or "me", content["name"]
        if self._role != "write" or owner not in self.state.writers | {"me"}:
            self._json(403, {"error": "You don't have the rights to create a model there"})
            return
        private = content.get("private") or content.get("visibility") == "private"
        if f"{owner}/{name}" in self.state.repositories:
            url = f"{self.state.endpoint}/{owner}/{name}"
            self._json(409, {"error": "You already created this model repo", "url": url})
            return
        self.state.repositories[f"{owner}/{name}"] = Repository(private=bool(private))
        self.state.repositories[f"{owner}/{name}"].commit({".gitattributes": b"*.keras lfs\n"})
        self._json(200, {"url": f"{self.state.endpoint}/{owner}/{name}", "name": f"{owner}/{name}"})

    def validate_yaml(self):
        wrong = self.state.invalid_card and self.state.invalid_card(
            json.loads(self.body)["content"]
        )
        self._json(400 if wrong else 200, {"errors": [{"message": wrong}] if wrong else [],
                                           "warnings": []})  # fmt: skip

    def preupload(self, name, revision):
        files = json.loads(self.body)["files"]
        self._json(200, {"files": [
            {"path": file["path"], "shouldIgnore": False,
             "uploadMode": "lfs" if file["size"] >= LFS_FROM else "regular"}
            for file in files
        ]})  # fmt: skip

    def batch(self, name):
        objects = []
        for each in json.loads(self.body)["objects"]:
            if each["oid"] not in self.state.objects:
                href = f"{self.state.endpoint}/objects/{each['oid']}"
                each["actions"] = {"upload": {"href": href, "header": {}}}
            objects.append(each)
        self._json(200, {"transfer": "basic", "objects": objects})

    def upload(self, oid):
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.state.objects[oid] = self.body
        self.answer(200, {}, b"")

    def commit(self, name, revision):
        if self._role != "write" or name.partition("/")[0] not in self.state.writers | {"me"}:
            self._json(403, {"error": "Forbidden"})
            return
        repository = self.state.repositories[name]
        files = dict(repository.commits.get(repository.resolve(revision), {}))
        for line in map(json.loads, self.body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.state.objects[value["oid"]]
        commit = repository.commit(files, revision)
        url = f"{self.state.endpoint}/{name}/commit/{commit}"
        self._json(200, {"commitOid": commit, "commitUrl": url, "success": True})


_ID = r"(?P<name>[^/]+/[^/]+)"
ROUTES = (
    (rf"GET /api/models/{_ID}", "info"),
    (rf"GET /api/models/{_ID}/revision/(?P<revision>.+)", "info"),
    (rf"(?:GET|HEAD) /{_ID}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "resolve"),
    (r"GET /api/whoami-v2", "whoami"),
    (r"POST /api/repos/create", "create"),
    (r"POST /api/validate-yaml", "validate_yaml"),
    (rf"POST /api/models/{_ID}/preupload/(?P<revision>.+)", "preupload"),
    (rf"POST /{_ID}\.git/info/lfs/objects/batch", "batch"),
    (r"PUT /objects/(?P<oid>[0-9a-f]{64})", "upload"),
    (rf"POST /api/models/{_ID}/commit/(?P<revision>.+)", "commit"),
)


def _sibling(path, data):
    entry = {"rfilename": path, "size": len(data), "blobId": _git_hash(data)}
    if len(data) >= LFS_FROM:
        digest = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 134}
    return entry


def _git_hash(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
