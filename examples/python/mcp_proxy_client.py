"""Calls a tool through `toolstash proxy --listen 3333 …` by raw JSON-RPC over HTTP: Python's own library, no SDK.

    python3 mcp_proxy_client.py http://127.0.0.1:3333/mcp read_text_file '{"path": "README.md"}'

Prints a line for each of two calls: where the answer came from, and its first text.
"""

import json
import sys
import urllib.request

PROTOCOL = "2025-11-25"


class Client:
    def __init__(self, url, token=None):
        self.url, self.ids = url, 0
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        info = {"name": "mcp_proxy_client.py", "version": "1"}
        self.ask("initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": info})
        self.headers["MCP-Protocol-Version"] = PROTOCOL
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def post(self, message):
        """The messages of the response: one as JSON, or several as server-sent events."""
        request = urllib.request.Request(self.url, json.dumps(message).encode(), self.headers)
        with urllib.request.urlopen(request) as response:
            session = response.headers.get("Mcp-Session-Id")
            if session:
                self.headers["Mcp-Session-Id"] = session
            text = response.read().decode()
            if "text/event-stream" not in response.headers.get("Content-Type", ""):
                return [json.loads(text)] if text.strip() else []
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]

    def ask(self, method, params):
        self.ids += 1
        for message in self.post({"jsonrpc": "2.0", "id": self.ids, "method": method, "params": params}):
            if message.get("id") == self.ids:
                if "error" in message:
                    raise RuntimeError(message["error"]["message"])
                return message["result"]
        raise RuntimeError(f"no answer to {method}")

    def close(self):
        urllib.request.urlopen(urllib.request.Request(self.url, headers=self.headers, method="DELETE")).close()


def main(url, tool, arguments="{}"):
    client = Client(url)
    for _ in range(2):
        result = client.ask("tools/call", {"name": tool, "arguments": json.loads(arguments)})
        told = result.get("_meta", {}).get("toolstash/answer", {"source": "not cached"})
        print(f"{told['source']}: {result['content'][0]['text']}")
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
