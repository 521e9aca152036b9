"""API errors: everything a retry or a report needs, from any body a proxy may send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.wire.api_error import ApiError, read_error


def test_an_api_error_is_read_whole():
    body = (
        b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down",'
        b'"details":{"error_code":"ramp_limit_exceeded"}},"request_id":"req_1"}'
    )
    assert read_error(429, body, {"Retry-After": "12"}) == ApiError(
        429, "rate_limit_error", "slow down", "ramp_limit_exceeded", "req_1", 12.0
    )


def test_milliseconds_come_before_seconds_and_the_header_names_the_request():
    error = read_error(529, b"{}", {"retry-after-ms": "1500", "retry-after": "9", "Request-Id": "req_h"})
    assert (error.retry_after, error.request_id, error.type) == (1.5, "req_h", "overloaded_error")


@pytest.mark.parametrize("wait", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "inf", "nan", ""])
def test_a_wait_that_is_no_number_of_seconds_is_none(wait: str):
    assert read_error(429, b"", {"retry-after": wait}).retry_after is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (402, "billing_error"),
        (413, "request_too_large"),
        (500, "api_error"),
        (502, "api_error"),
        (504, "timeout_error"),
    ],
)
def test_a_body_without_a_type_takes_the_one_of_its_status(status: int, kind: str):
    error = read_error(status, b"<html>\n <b>Bad   gateway</b></html>")
    assert error.type == kind
    assert error.message == "<html> <b>Bad gateway</b></html>"


def test_bedrock_puts_its_message_at_the_top():
    error = read_error(403, {"message": "no access"})
    assert (error.type, error.message) == ("permission_error", "no access")


@given(st.integers(400, 599), st.binary(max_size=200), st.dictionaries(st.text(), st.text()))
def test_no_body_makes_reading_an_error_fail(status: int, body: bytes, headers: dict[str, str]):
    error = read_error(status, body, headers)
    assert error.status == status
    assert error.type.endswith("_error") or error.type == "request_too_large"
