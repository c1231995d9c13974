"""Nothing secret of an address is ever shown: generated addresses, and those that people write."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import commit
from toy_trials import toy_plan, toy_sweep

from sweeps.planning import Known
from sweeps.storage import Store
from sweeps.tracking.redaction import bare, redacted, shown

SECRET = "hunter2-Grüße/§x"

FORMS = [
    "postgresql://me:{0}@host/db",
    "postgresql+psycopg2://{0}@host:5432/db",
    "https://{0}:x-oauth-basic@host",
    "https://:{0}@host/path",
    "http://host?password={0}",
    "http://host/?a=1&token={0}",
    "http://host?api_key={0}&sslmode=require",
    "http://host?{0}",
    "mysql://me:pass@word-{0}@host/db",
    "http://me:{0}@host:port",
    "http://host:{0}",
    "http://me:{0}",
    "http://host#{0}",
    "me:{0}@host",
    "htp:/me:{0}@host",
    "http:me:{0}@host/",
    "http://me:{0}@[::1",
    "http%3A%2F%2Fme%3A{0}%40host",
    "sqlite:///runs/mlflow.db?key={0}",
    "mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3D{0}",
    "databricks://{0}@host",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "secret", [SECRET, quote(SECRET), quote(SECRET, safe=""), "hunter2hunter2"]
)
def test_an_address_is_shown_without_its_secret(form: str, secret: str) -> None:
    address = form.format(secret)

    for text in (shown(address), bare(address), redacted(f"no answer from {address}!", [address])):
        assert "hunter2" not in text
        assert "word-" not in text


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://...@host:5432/db"),
        ("http://host:5000/path", "http://host:5000/path"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("postgresql://host/db?sslmode=require", "postgresql://host/db?sslmode=require"),
        ("postgresql://host/db?password=x&sslmode=require", "postgresql://host/db?password=...&sslmode=require"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("runs", "runs"),
    ],
)  # fmt: skip
def test_what_is_no_secret_is_still_shown(address: str, text: str) -> None:
    assert shown(address) == text
    assert redacted(f"at {address}", [address]) == f"at {text}"


SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_characters="@"), min_size=6
).filter(lambda text: len(set(text)) > 3)
HOSTS = st.from_regex(r"[a-z]{2,8}(\.[a-z]{2,4})?(:[0-9]{2,5})?", fullmatch=True)
SCHEMES = st.sampled_from(["http", "https", "postgresql", "mysql+pymysql", "mssql+pyodbc"])
WRITTEN = st.sampled_from([str, quote, lambda text: quote(text, safe="")])
MESSAGES = [
    "connection to {0} failed",
    "HTTPConnectionPool: Max retries exceeded with url {0} (Caused by 'x')",
    'could not parse "{0}"',
    "{1}",
    "password authentication failed: {1}",
    "invalid dsn: user=me password='{1}' host=x",
    "Authorization: Basic {2}",
    "sent {2}",
    "{3}",
    "{4}",
]


@given(st.data())
def test_no_secret_is_in_any_message(data: st.DataObject) -> None:
    scheme, host, secret = data.draw(SCHEMES), data.draw(HOSTS), data.draw(SECRETS)
    written = data.draw(WRITTEN)(secret)
    user = data.draw(st.sampled_from(["", "me", "x-oauth"]))
    address = data.draw(
        st.sampled_from(
            [
                f"{scheme}://{user}:{written}@{host}/db",
                f"{scheme}://{written}@{host}/db",
                f"{scheme}://{written}:{user}@{host}/db",
                f"{scheme}://{host.partition(':')[0]}/db?token={quote(secret, safe='')}",
            ]
        )
    )
    encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
    message = data.draw(st.sampled_from(MESSAGES)).format(
        address, secret, encoded, repr(secret), ascii(secret)
    )

    texts = [shown(address), bare(address), redacted(message, [address], {})]
    for text in texts:
        for form in (secret, written, repr(secret)[1:-1], ascii(secret)[1:-1]):
            assert form.lower() not in text.lower()
    if f"{user}:{written}@" in address:
        assert encoded not in texts[-1]


def test_variables_of_the_environment_and_other_peoples_addresses_are_covered() -> None:
    variables = {
        "MLFLOW_TRACKING_PASSWORD": "hunter2hunter2",
        "HTTPS_PROXY": "http://me:proxyword@proxy:3128",
        "EDITOR": "vi",
    }

    text = redacted(
        "401 for hunter2hunter2 through http://you:other-word@proxy and proxyword in vi,"
        " api_key=abcdefgh, Bearer abcdefghijkl",
        (),
        variables,
    )

    assert text == ("401 for ... through http://...@proxy and ... in vi, api_key=..., Bearer ...")


def test_a_short_password_is_removed_as_a_word_and_leaves_other_words_alone() -> None:
    address = "postgresql://me:a1@host/db"

    assert redacted("a1: 'a1' is no banana1", [address], {}) == "...: '...' is no banana1"


@pytest.mark.parametrize("written", ["hunter2hunter2", "hunter2%2Fhunter2"])
def test_user_and_password_are_hidden_as_the_header_of_a_request_holds_them(written: str) -> None:
    encoded = base64.b64encode(f"me:{written.replace('%2F', '/')}".encode()).decode()

    assert redacted(f"sent {encoded}", [f"http://me:{written}@host"], {}) == "sent ..."


def test_a_record_from_elsewhere_logs_no_file_outside_its_folder(tmp_path: Path) -> None:
    from sweeps.tracking.one_trial import trial_run

    (tmp_path / "secret").write_text("hunter2")
    store = Store(tmp_path / "runs")
    store.prepare()
    trial = toy_plan(toy_sweep([1]), Known()).trials[0]
    record = commit(store, trial)

    run = trial_run(record.model_copy(update={"log": "../secret"}), store, {}, {})

    assert run.files == (store.attempt(record.key, 1) / "log.txt",)
    assert "secret" not in run.tags["mlflow.note.content"]
