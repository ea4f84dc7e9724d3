import errno
import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_mtseg.domain.errors import ModelError, StorageError
from napari_mtseg.networks.vgg import from_torchvision
from napari_mtseg.storage.published_file import PublishedFile, cache_folder
from napari_mtseg.storage.vgg16_weights import (
    _SHAPES,
    VGG16_FILE,
    vgg16_weights,
    weights_at_hand,
)

LAST = "features.28.bias"
ONE_NUMBER = "features.0.bias"


class OldTensor:
    """A tensor as torch wrote it in 2017, and as the published file has it."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor = tensor

    def __reduce__(self):
        storage = torch.storage.TypedStorage(
            wrap_storage=self.tensor.untyped_storage(),
            dtype=self.tensor.dtype,
            _internal=True,
        )
        shape, stride = tuple(self.tensor.shape), self.tensor.stride()
        return torch._utils._rebuild_tensor, (storage, 0, shape, stride)


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


class Answer(BaseHTTPRequestHandler):
    """Sends ``content``, under a Content-Length of ``claimed``, and counts."""

    content = b""
    claimed: int | None = 0
    status = 200
    n_requests = 0
    url = ""

    def do_GET(self) -> None:
        type(self).n_requests += 1
        self.send_response(self.status)
        if self.claimed is not None:
            self.send_header("Content-Length", str(self.claimed))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {name: torch.rand(s, generator=rng) for name, s in _SHAPES.items()}


@pytest.fixture(scope="module")
def published(
    weights: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PublishedFile]:
    """A file like the published one: old format, and a classifier behind."""
    path = tmp_path_factory.mktemp("web") / "vgg16-abc.pth"
    everything = {**weights, "classifier.0.bias": torch.zeros(4)}
    old = {name: OldTensor(tensor) for name, tensor in everything.items()}
    torch.save(old, path, _use_new_zipfile_serialization=False)
    yield as_published(path)
    path.unlink()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MTSEG_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    shutil.rmtree(tmp_path)


@pytest.fixture
def server() -> Iterator[type[Answer]]:
    class OneAnswer(Answer):
        """What this test sends."""

    with ThreadingHTTPServer(("127.0.0.1", 0), OneAnswer) as running:
        OneAnswer.url = f"http://127.0.0.1:{running.server_port}/vgg16-abc.pth"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield OneAnswer
        running.shutdown()


def as_published(path: Path) -> PublishedFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return PublishedFile(url=path.as_uri(), sha256=digest, n_bytes=len(content))


def path_of(published: PublishedFile) -> Path:
    return Path(published.url.removeprefix("file://"))


def advice(published: PublishedFile) -> str:
    return (
        f"Download {published.url} by hand and set encoder_weights to its path, or "
        "set encoder_weights=none."
    )


def refusal_of(source: str, published: PublishedFile) -> str:
    with pytest.raises(ModelError) as caught:
        vgg16_weights(source, published=published)
    return str(caught.value)


def kept_files(cache: Path) -> set[str]:
    return {file.name for file in cache.iterdir()} - {".vgg16-abc.lock"}


def are_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_the_published_file_has_the_digits_of_its_name():
    assert len(VGG16_FILE.sha256) == 64
    assert VGG16_FILE.name == f"vgg16-{VGG16_FILE.sha256[:8]}"


def test_the_network_takes_these_weights(weights):
    assert len(from_torchvision(weights)) == len(weights) == 26


def test_converted_weights_equal_the_downloaded_ones(weights, published, cache):
    assert not weights_at_hand("imagenet", published=published)
    assert are_equal(vgg16_weights("imagenet", published=published), weights)
    assert weights_at_hand("imagenet", published=published)
    assert kept_files(cache) == {"vgg16-abc.safetensors"}
    assert are_equal(vgg16_weights("imagenet", published=published), weights)


def test_a_converted_file_says_where_it_comes_from(published, cache):
    vgg16_weights("imagenet", published=published)
    with safe_open(cache / "vgg16-abc.safetensors", framework="pt") as file:
        facts = file.metadata()
        assert set(file.keys()) == set(_SHAPES)
    assert facts["source"] == published.url
    assert facts["source_sha256"] == published.sha256
    assert facts["converted"].startswith("20")


def test_the_second_call_makes_no_request(published, server):
    server.content = path_of(published).read_bytes()
    server.claimed = published.n_bytes
    online = replace(published, url=server.url)
    first = vgg16_weights("imagenet", published=online)
    second = vgg16_weights("imagenet", published=online)
    assert server.n_requests == 1
    assert are_equal(first, second)


def test_two_that_ask_at_once_make_one_request(published, server):
    server.content = path_of(published).read_bytes()
    server.claimed = published.n_bytes
    online = replace(published, url=server.url)
    ask = [
        threading.Thread(target=vgg16_weights, args=["imagenet"], kwargs=k)
        for k in ({"published": online}, {"published": online})
    ]
    for thread in ask:
        thread.start()
    for thread in ask:
        thread.join()
    assert server.n_requests == 1


def test_progress_ends_with_the_whole_file(published):
    told: list[tuple[int, int]] = []
    vgg16_weights(
        "imagenet", published=published, progress=lambda *now: told.append(now)
    )
    assert told[-1] == (published.n_bytes, published.n_bytes)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_download_that_breaks_off_leaves_nothing_behind(server, cache):
    server.content, server.claimed = b"x" * 2**21, 5 * 2**20
    online = replace(VGG16_FILE, url=server.url)
    assert refusal_of("imagenet", online) == (
        "The download broke off (2 of 5 MB): try again. " + advice(online)
    )
    assert kept_files(cache) == set()
    assert not weights_at_hand("imagenet", published=online)


def test_a_download_that_is_stopped_leaves_nothing_behind(published, cache):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vgg16_weights("imagenet", published=published, progress=stop)
    assert kept_files(cache) == set()


def test_a_connection_that_is_reset_is_one_sentence(published, monkeypatch):
    def reset(self: object, size: int = -1) -> bytes:
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    monkeypatch.setattr("urllib.response.addinfourl.read", reset, raising=False)
    assert refusal_of("imagenet", published) == (
        "The download broke off (Connection reset by peer): try again. "
        + advice(published)
    )


def test_no_network_is_one_sentence(server):
    online = replace(VGG16_FILE, url="http://127.0.0.1:1/vgg16-abc.pth")
    assert refusal_of("imagenet", online) == (
        "The weights of VGG16 could not be downloaded (Connection refused). "
        + advice(online)
    )


def test_a_server_that_has_no_such_file_is_one_sentence(server):
    server.status = 404
    online = replace(VGG16_FILE, url=server.url)
    assert refusal_of("imagenet", online) == (
        "The weights of VGG16 could not be downloaded (HTTP Error 404: Not Found). "
        + advice(online)
    )


def test_a_page_in_place_of_the_file_is_refused(server, cache):
    server.content, server.claimed = b"<html>Log in</html>", None
    online = replace(VGG16_FILE, url=server.url)
    found = hashlib.sha256(server.content).hexdigest()
    assert refusal_of("imagenet", online) == (
        f"What came from {online.url} is not the published file of VGG16, so it was "
        f"not opened: its SHA-256 begins with {found[:16]}, not 397923af8e79cdbb. "
        + advice(online)
    )
    assert kept_files(cache) == set()


def test_a_download_without_end_is_given_up(server):
    server.content, server.claimed = b"x" * 2**23, None
    online = replace(VGG16_FILE, url=server.url, n_bytes=2**20)
    told: list[int] = []
    with pytest.raises(ModelError, match="is not the published file"):
        vgg16_weights(
            "imagenet", published=online, progress=lambda done, _: told.append(done)
        )
    assert max(told) <= 2 * 2**20


def test_a_full_disk_is_one_sentence(published, cache, monkeypatch):
    class FullDisk:
        def __init__(self, **kwargs: object):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", FullDisk)
    with pytest.raises(StorageError, match=r"^The disk that holds '.*' is full"):
        vgg16_weights("imagenet", published=published)
    assert kept_files(cache) == set()


@pytest.mark.parametrize("source", ["imagenet", "path"])
def test_a_file_with_a_wrong_hash_is_never_unpickled(tmp_path, source):
    bomb = tmp_path / "vgg16-397923af.pth"
    bomb.write_bytes(pickle.dumps(Bomb(tmp_path / "fired")))
    found = as_published(bomb)
    expected = replace(found, sha256=VGG16_FILE.sha256)
    sentence = refusal_of("imagenet" if source == "imagenet" else str(bomb), expected)
    assert sentence.endswith(
        "is not the published file of VGG16, so it was not opened: its SHA-256 begins "
        f"with {found.sha256[:16]}, not 397923af8e79cdbb. {advice(expected)}"
    )
    assert not (tmp_path / "fired").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_an_object_in_a_file_with_the_right_hash_is_refused(tmp_path, zipped):
    bomb = tmp_path / "bomb.pth"
    content = {"features.0.bias": Bomb(tmp_path / "fired")}
    torch.save(content, bomb, _use_new_zipfile_serialization=zipped)
    expected = as_published(bomb)
    assert refusal_of(str(bomb), expected) == (
        f"'{bomb}' is damaged or holds more than weights, which could run code, so it "
        f"was not loaded. {advice(expected)}"
    )
    assert not (tmp_path / "fired").exists()


def test_a_file_that_is_no_pickle_is_refused_even_with_the_right_hash(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"not a pickle")
    expected = as_published(tmp_path / "a.pth")
    sentence = refusal_of(str(tmp_path / "a.pth"), expected)
    assert "is damaged or holds more than weights" in sentence


def test_the_published_file_is_taken_from_a_path(weights, published, cache):
    path = str(path_of(published))
    assert weights_at_hand(path)
    assert are_equal(vgg16_weights(path, published=published), weights)
    assert not cache.exists()


def test_a_safetensors_file_is_taken_whatever_its_precision(tmp_path, weights):
    path = tmp_path / "half.SAFETENSORS"
    half = {name: tensor.half() for name, tensor in weights.items()}
    save_file({**half, "classifier.0.bias": torch.zeros(2)}, path)
    found = vgg16_weights(str(path))
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert are_equal(found, {name: tensor.float() for name, tensor in half.items()})


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({LAST: None}, f"it has no '{LAST}'"),
        (
            {LAST: torch.zeros(64)},
            f"its '{LAST}' is of shape (64,), not (512,)",
        ),
        ({LAST: torch.full((512,), torch.nan)}, f"its '{LAST}' holds NaN or infinity"),
        (
            {LAST: torch.zeros(512, dtype=torch.int64)},
            f"its '{LAST}' holds torch.int64, not torch.float32",
        ),
    ],
)
def test_other_weights_are_refused_in_one_sentence(tmp_path, weights, changed, fault):
    path = tmp_path / "other.safetensors"
    content = {**weights, **changed}
    save_file({name: t for name, t in content.items() if t is not None}, path)
    assert refusal_of(str(path), VGG16_FILE) == (
        f"'{path}' does not hold the weights of a VGG16 without batch norm: {fault}. "
        + advice(VGG16_FILE)
    )


@pytest.mark.parametrize("content", [[torch.zeros(1)], {ONE_NUMBER: 3}])
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    sentence = refusal_of(str(path), as_published(path))
    assert "it has no 'features.0.weight'" in sentence


def test_a_copy_with_one_changed_byte_is_refused(tmp_path, published, cache):
    vgg16_weights("imagenet", published=published)
    copy = tmp_path / "copy.safetensors"
    shutil.move(cache / "vgg16-abc.safetensors", copy)
    flip_last_byte(copy)
    assert refusal_of(str(copy), published) == (
        f"'{copy}' is damaged: these are not the weights it was made with. "
        + advice(published)
    )


@pytest.mark.parametrize("damage", ["a byte", "cut off", "of another file"])
def test_damaged_weights_in_the_cache_are_fetched_again(
    weights, published, cache, damage
):
    vgg16_weights("imagenet", published=published)
    kept = cache / "vgg16-abc.safetensors"
    if damage == "a byte":
        flip_last_byte(kept)
    elif damage == "cut off":
        os.truncate(kept, 1000)
    else:
        save_file(weights, kept, metadata={"source_sha256": "0" * 64})
    assert are_equal(vgg16_weights("imagenet", published=published), weights)
    assert are_equal(vgg16_weights(str(kept), published=published), weights)


def flip_last_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))


def test_a_missing_file_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not weights_at_hand("none.pth")
    assert refusal_of("none.pth", VGG16_FILE) == (
        f"There is no file '{tmp_path / 'none.pth'}' with weights of VGG16. "
        + advice(VGG16_FILE)
    )


def test_a_file_that_is_no_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"x" * 100)
    assert refusal_of(str(path), VGG16_FILE) == (
        f"'{path}' is damaged or not a safetensors file. " + advice(VGG16_FILE)
    )


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.pth"
    path.touch()

    def deny(self: Path, mode: str = "r") -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert refusal_of(str(path), VGG16_FILE) == (
        f"'{path}' cannot be read (Permission denied). " + advice(VGG16_FILE)
    )


def test_a_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.pth").touch()
    assert weights_at_hand("~/a.pth")


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache/napari-mtseg"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/napari-mtseg"),
        ("darwin", {}, "home/Library/Caches/napari-mtseg"),
        ("win32", {}, "home/AppData/Local/napari-mtseg/cache"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/napari-mtseg/cache"),
        ("win32", {"MTSEG_CACHE": "/c"}, "/c"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    tmp_path, monkeypatch, platform, variables, expected
):
    for name in ("MTSEG_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == tmp_path / expected


def test_asking_what_is_at_hand_imports_no_torch():
    code = (
        "import sys; from napari_mtseg.storage.vgg16_weights import weights_at_hand; "
        "weights_at_hand('imagenet'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
