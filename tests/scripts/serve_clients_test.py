#!/usr/bin/env python3
"""Programs of others as clients of `paligemma serve`, as far as they are installed: the `openai` package, and schemathesis,
which makes up requests from /openapi.json.

    serve_clients_test.py PALIGEMMA        exits with 77 where neither is there
"""
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile

from serve_test import COW, SIGLIP, Server, data_url

SKIPPED = 77


def check_openai(port):
    import openai

    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none")
    assert [model.id for model in client.models.list()] == ["tiny", "siglip"]
    picture = {"type": "image_url", "image_url": {"url": data_url(COW)}}
    ask = lambda text: [{"role": "user", "content": [picture, {"type": "text", "text": text}]}]
    how = {"model": "tiny", "messages": ask("caption en"), "max_tokens": 10, "temperature": 0}
    whole = client.chat.completions.create(**how, logprobs=True, top_logprobs=3)
    choice = whole.choices[0]
    assert len(choice.logprobs.content) == whole.usage.completion_tokens
    assert len(choice.logprobs.content[0].top_logprobs) == 3
    texts, usage = ["", ""], None
    for event in client.chat.completions.create(**how, stream=True, stream_options={"include_usage": True}, n=2):
        for piece in event.choices:
            texts[piece.index] += piece.delta.content or ""
        usage = event.usage or usage
    assert texts == [choice.message.content] * 2 and usage.completion_tokens == 2 * whole.usage.completion_tokens
    answer = client.completions.create(model="tiny", prompt="caption en", max_tokens=5, temperature=0, logprobs=2)
    assert len(answer.choices[0].logprobs.tokens) == 5
    packed = client.embeddings.create(model="siglip", input=["a", "b"])  # base64, which the client asks for
    plain = client.embeddings.create(model="siglip", input="a", encoding_format="float")
    assert max(abs(a - b) for a, b in zip(packed.data[0].embedding, plain.data[0].embedding)) < 1e-6
    schema = {"name": "objects", "schema": {"type": "object", "properties": {"objects": {"type": "array"}}}}
    answer = client.chat.completions.create(model="tiny", messages=ask("detect cat"),
                                            response_format={"type": "json_schema", "json_schema": schema})
    assert json.loads(answer.choices[0].message.content)["objects"][0]["label"] == "cat"
    try:
        client.chat.completions.create(**dict(how, model="gpt-4"))
        raise AssertionError("a model that is not there answered")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"


def check_schemathesis(program, port):
    """No request leads to a failure of the server, or to an answer of another form than described."""
    checks = ("not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
              "response_schema_conformance,unsupported_method")
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([program, "run", f"http://127.0.0.1:{port}/openapi.json", "--checks", checks,
                              "--max-examples", "15", "--phases", "examples,coverage,fuzzing",
                              "--request-timeout", "120"],  # answers may be as long as the context, under sanitizers too
                             cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:]


def main():
    client, fuzzer = importlib.util.find_spec("openai"), shutil.which("schemathesis")
    if not client and not fuzzer:
        print("neither openai nor schemathesis is installed")
        return SKIPPED
    with Server("--siglip", SIGLIP, "--siglip-name", "siglip", "--metrics", "--name", "tiny") as server:
        if client:
            check_openai(server.port)
            print("openai: answers as expected")
        if fuzzer:
            check_schemathesis(fuzzer, server.port)
            print("schemathesis: nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
