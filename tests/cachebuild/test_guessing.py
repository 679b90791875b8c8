import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cachebuild.guessing import model_guesser
from cachebuild.misses import Simulator
from curate.errors import UsageError


@pytest.fixture
def server():
    """A chat-completions server: (its address, the bodies it got, the status it answers with)."""
    got, status = [], [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            said = {"choices": [{"message": {"role": "assistant", "content": '{"a": 1}'}, "finish_reason": "stop"}]}
            body = json.dumps(said).encode()
            self.send_response(status[0])
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/v1", got, status
    served.shutdown()
    thread.join()
    served.server_close()


def test_a_model_is_shown_schema_similar_calls_dialogue_and_call(make, compiled, talk, server):
    address, got, status = server
    cache = compiled([make("one", [("get_order", {"order_id": "W1"}, "open")])])
    misses = Simulator(model_guesser("openai:m", address), {"get_order": {"name": "get_order"}})
    session = cache.session("shop", history=talk("where is W2?"), misses=misses)
    answer = session.call("get_order", {"order_id": "W2"})
    assert (answer.tier, answer.result, answer.p) == ("simulated", '{"a": 1}', 0.0)
    asked = got[0]["messages"][1]["content"]
    for part in ("user: where is W2?", '{"name":"get_order"}', 'get_order({"order_id":"W1"}) returned:\nopen'):
        assert part in asked
    assert asked.endswith('The call:\nget_order({"order_id":"W2"})')
    status[0] = 500
    assert session.call("get_order", {"order_id": "W3"}).tier == "unavailable"


def test_a_wrong_address_is_said_at_once():
    with pytest.raises(UsageError, match="http"):
        model_guesser("openai:m", "nowhere")
