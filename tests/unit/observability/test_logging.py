import logging

from finbert_api.observability.logging import current_request_id, logging_config


def test_a_record_is_one_json_line_with_its_extra_fields(log_lines):
    logging.getLogger("finbert_api.test").info("it\nhappened", extra={"route": "/x"})
    [line] = log_lines()
    assert line["message"] == "it\nhappened"
    assert (line["level"], line["logger"], line["route"]) == ("INFO", "finbert_api.test", "/x")
    assert line["time"].endswith("Z")
    assert len(line["time"]) == len("2026-01-31T09:30:00.123Z")
    assert "request_id" not in line


def test_a_record_made_during_a_request_carries_its_id(log_lines):
    token = current_request_id.set("abc")
    logging.getLogger("finbert_api.test").warning("during")
    current_request_id.reset(token)
    assert [line["request_id"] for line in log_lines()] == ["abc"]


def test_an_exception_stays_in_its_line(log_lines):
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("finbert_api.test").exception("failed")
    [line] = log_lines()
    assert "KeyError" in line["exc_info"]


def test_records_below_the_level_are_dropped(log_lines):
    logging.getLogger("another.package").info("quiet")
    assert log_lines() == []


def test_lines_go_to_standard_output():
    assert logging_config("INFO")["handlers"]["output"]["stream"] == "ext://sys.stdout"


def test_what_a_server_line_quotes_of_a_broken_request_is_cut(log_lines):
    server = logging.getLogger("gunicorn.error")
    server.warning("Invalid request from ip=%s: %s", "127.0.0.1", "Invalid HTTP method: 'a client text'")
    server.error("Error handling request %s", "/?q=a client text")
    server.info("Booting worker with pid: %s", 7)
    assert [line["message"] for line in log_lines()] == [
        "Invalid request",
        "Error handling request",
        "Booting worker with pid: 7",
    ]
