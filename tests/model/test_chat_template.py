"""Check that chat templates give what transformers gives, and that a hostile one ends soon with a message."""

from __future__ import annotations

import time
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from circuitvlm.model.base import chat_template
from circuitvlm.model.base.chat_template import MAX_TEMPLATE_LENGTH, ChatTemplateError, render
from circuitvlm.model.base.untrained import CHAT_TEMPLATE

TEXTS = ["What is V(2)?", "  <|im_end|> {{ 7 * 7 }} \n", "Ω & <b>", "x" * 5000, ""]
PARTS: list[dict[str, Any]] = [
    {"role": "system", "content": "Answer."},
    *({"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]} for text in TEXTS),
    {"role": "assistant", "content": [{"type": "text", "text": "12 V"}]},
]
PLAIN = [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(TEXTS)]
TEMPLATES = {
    "untrained": CHAT_TEMPLATE,
    "namespace and loop variables": """{%- set ns = namespace(n=0, text='') -%}
{%- for message in messages -%}
    {%- if loop.first and message.role != 'system' -%}{{ '<|system|>' + 'default' }}{%- endif -%}
    {%- set ns.n = ns.n + 1 -%}
    {{ bos_token if loop.index0 == 0 else '' }}{{ '[' ~ loop.index ~ '/' ~ loop.length ~ ']' }}
    {%- if message['content'] is string %}{{ message.content | trim }}{% else -%}
    {%- for part in message.content if part.type == 'text' %}{{ part['text'] | replace('V', 'U') }}{% endfor %}
    {%- endif %}
    {{- '' if loop.last else eos_token }}
{%- endfor %}{{ ns.n }}{% if add_generation_prompt %}{{ '\\nassistant:' }}{% endif %}""",
    "macros, controls and filters": """{% macro show(value, width=3) %}<{{ value }}:{{ width }}>{% endmacro %}
{% for message in messages %}{% if message.role == 'system' %}{% continue %}{% endif %}
{% set types = message.content | map(attribute='type') | join(', ') %}
{% set content = message.content if message.content is string else types %}
{{ show(content[:10] | upper, width=loop.index % 3) }}{{ message | tojson }}
{% generation %}{{ content | length }}{% endgeneration %}
{% if loop.index > 4 %}{% break %}{% endif %}{% endfor %}
{{ messages | map(attribute='role') | unique | list | tojson(indent=2) }}{{ "%s is %d" | format('x', 5) }}
{{ '{:>8}'.format('y') }}{% set text %}block {{ 2 ** 5 }}{% endset %}{{ text * 2 }}{{ undefined_name }}
{{ date_string }}{{ messages[::-1][0]['role'] }}
{% for k, v in messages[0].items() | sort %}{{ k }}{% else %}nothing{% endfor %}{{ range(3) | list }}{{ dict(a=1) }}""",
}
VARIABLES = {"bos_token": "<s>", "eos_token": "</s>", "date_string": "26 Jul 2024"}


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("add_generation_prompt", [True, False])
@pytest.mark.parametrize("messages", [PARTS, PLAIN, PLAIN[:1]], ids=["parts", "plain", "one"])
def test_a_template_gives_what_transformers_gives(
    name: str, add_generation_prompt: bool, messages: list[dict[str, Any]]
) -> None:
    template = TEMPLATES[name]
    options = {"add_generation_prompt": add_generation_prompt, **VARIABLES}
    stock = render_jinja_template([messages], chat_template=template, **options)[0][0]
    assert render(template, messages, **options) == stock


LOOP = "{% set n = namespace(x='aa', y=[]) %}{% for i in range(99) %}BODY{% endfor %}"
HOSTILE = {
    "a long range": "{% for i in range(10**9) %}x{% endfor %}",
    "nested loops": "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3,
    "one range in nested loops": "{% set r = range(99999) %}{% for i in r %}{% for j in r if false %}"
    + "{% endfor %}" * 2,
    "a long product": "{{ ('x' * 10**10) | length }}",
    "a list of products": "{{ ([1] * 10**9) | length }}",
    "a tower of powers": "{{ 9**9**9**9 }}",
    "a huge power": "{{ (10**(10**7)) % 2 }}",
    "doubling by +": LOOP.replace("BODY", "{% set n.x = n.x + n.x %}"),
    "doubling by ~": LOOP.replace("BODY", "{% set n.x = n.x ~ n.x %}"),
    "doubling by join": LOOP.replace("BODY", "{% set n.x = [n.x, n.x] | join %}"),
    "doubling by a block": LOOP.replace("BODY", "{% set y %}{{ n.x }}{{ n.x }}{% endset %}{% set n.x = y %}"),
    "doubling by replace": LOOP.replace("BODY", "{% set n.x = n.x.replace('a', n.x) %}"),
    "doubling by a filter": LOOP.replace("BODY", "{% set n.x = n.x | replace('a', n.x) %}"),
    "a wide field": "{{ '%1000000000d' | format(5) }}",
    "a wide field of %": "{{ '%1000000000d' % 5 }}",
    "a wide field of format": "{{ '{:1000000000}'.format(5) }}",
    "a wider field of format": "{{ '{:9999999999}'.format(1) }}",
    "a wide field of format_map": "{{ '{x:9999999999}'.format_map({'x': 1}) }}",
    "a field whose width is an argument": "{{ '%*d' % (10**9, 1) }}",
    "a field whose width is an argument, as a filter": "{{ '%*d' | format(10**9, 1) }}",
    "a field whose width is another field": "{{ '{:{}}'.format(1, 10**10) }}",
    "repeated fields": "{% set x = 'x' * 10**6 %}{{ ('{0}' * 9999).format(x) }}",
    "a wide centre": "{{ 'x' | center(10**10) }}",
    "a wide justification": "{{ 'x'.ljust(10000000000) }}",
    "a wide indentation": "{{ 'x\nx' | indent(1000000000) }}",
    "long output": "{% for i in range(99999) %}{{ messages }}{% endfor %}",
    "long literal output": "{% for i in range(99999) %}" + "y" * 5000 + "{% endfor %}",
    "a recursive macro": "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "a branching macro": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "a recursive loop": "{% for i in range(99) recursive %}{{ loop(range(99)) }}{% endfor %}",
    "a list within itself": LOOP.replace("BODY", "{% set n.y = [n.y, n.y] %}{{ n.y | length }}"),
    "lists within themselves": LOOP.replace("BODY", "{% set n.y = [n.y, n.y] %}"),
    "tuples within themselves": LOOP.replace("BODY", "{% set n.y = (n.y, n.y) %}"),
    "mappings within themselves": LOOP.replace("BODY", "{% set n.y = {1: n.y, 2: n.y} %}"),
    "two such lists compared": "".join(f"{{% set {x} = [1] %}}" + f"{{% set {x} = [{x}, {x}] %}}" * 60 for x in "ab")
    + "{{ a == b }}",
    "slices of a long text": "{% set x = 'x' * 10**6 %}{% for i in range(99999) %}{% set y = x[1:] %}{% endfor %}",
    "searches in a long text": "{% set x = 'x' * 10**6 %}{% for i in range(99999) %}{{ 'y' in x }}{% endfor %}",
    "too many nested loops": "{% for i in range(2) %}" * 30 + "{% endfor %}" * 30,
    "an attribute of Python in a new namespace": "{% set n = namespace(__class__=1) %}",
    "attributes of Python": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "a function's globals": "{{ raise_exception.__globals__.json }}",
    "an attribute of Python in a namespace": "{% set n = namespace() %}{% set n.__class__ = 5 %}",
    "a wrong attribute": "{{ messages.nothing.more }}",
    "a wrong index": "{{ messages[0]['content'][99].text }}{{ none + 1 }}",
    "a division by zero": "{{ 1 // 0 }}",
    "wrong syntax": "{% for %}",
    "an unknown filter": "{{ messages | nothing }}",
    "an unknown tag": "{% include 'x' %}",
    "a refusal": "{{ raise_exception('only one image, please') }}",
    "text for numbers": "{{ 'x' + 5 }}",
    "a long template": "{# " + "x" * MAX_TEMPLATE_LENGTH + " #}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_ends_soon_with_a_message(name: str) -> None:
    begin = time.process_time()
    with pytest.raises(ChatTemplateError) as error:
        render(HOSTILE[name], PLAIN, add_generation_prompt=True, **VARIABLES)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
    assert time.process_time() - begin < 30  # without a bound it would be hours, or all memory


def test_the_bound_is_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict depends on the template and the messages alone, and a rendering uses up nothing of the next."""
    template = "{% for i in range(1000) %}{{ i }}{% endfor %}"
    for _ in range(5):
        assert render(template, []).endswith("999")
    monkeypatch.setattr(chat_template, "MAX_STEPS", 5000)
    with pytest.raises(ChatTemplateError, match="more than 5,000 steps"):
        render(template, [])
