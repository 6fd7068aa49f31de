"""All that crosses a boundary: facts, events, OpenAPI, AsyncAPI, golden examples."""
