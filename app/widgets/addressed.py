"""Choices that stand in the address: the address alone says what is chosen, a widget shows it and changes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def given(name: str) -> str:
    """A parameter of the address; empty where it has none."""
    return str(st.query_params.get(name, ""))


def whole(name: str, most: int) -> int:
    """A parameter as a number from 0 to `most`."""
    text = given(name)
    return min(max(int(text), 0), max(most, 0)) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def put(**params: str | int | None) -> None:
    """Change the address; what is None, empty or 0 leaves it."""
    for name, value in params.items():
        if value in (None, "", 0):
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = str(value)


def choose(
    label: str,
    options: Sequence[str],
    name: str,
    *,
    shown: Callable[[str], str] = str,
    drops: Sequence[str] = (),
    help: str | None = None,
    default: str | None = None,
) -> str | None:
    """A list to choose one from; None if it is empty.

    Args:
        label: of the list.
        options: what may be chosen.
        name: of the parameter.
        shown: an option as it is written, plain text.
        drops: parameters that mean nothing once this one is changed.
        help: a line about it.
        default: what is chosen where the address says nothing, or nothing that there is; else the first.
    """
    if not options:
        return None
    fallback = default if default in options else options[0]
    current = given(name) if given(name) in options else fallback
    key = f"choose-{name}"
    st.session_state[key] = current
    st.selectbox(label, options, key=key, format_func=shown, help=help, on_change=_chosen, args=(key, name, *drops))
    return current


def segment(label: str, options: Sequence[str], name: str, *, shown: Callable[[str], str]) -> str:
    """A row of a few choices; to change it empties the address of all else."""
    current = given(name) if given(name) in options else options[0]
    key = f"segment-{name}"
    st.session_state[key] = current
    st.segmented_control(
        label,
        options,
        key=key,
        format_func=shown,
        required=True,
        label_visibility="collapsed",
        on_change=_begun_anew,
        args=(key, name),
    )
    return current


def part(label: str, options: Sequence[str], name: str) -> str:
    """A row of a few parts of a page, of which one is drawn."""
    current = given(name) if given(name) in options else options[0]
    key = f"part-{name}"
    st.session_state[key] = current
    st.segmented_control(
        label, options, key=key, required=True, label_visibility="collapsed", on_change=_chosen, args=(key, name)
    )
    return current


def several(label: str, options: Sequence[str], name: str, *, shown: Callable[[str], str], most: int) -> list[str]:
    """A list to choose several from, in the address as one parameter a choice."""
    current = [each for each in dict.fromkeys(st.query_params.get_all(name)) if each in options][:most]
    key = f"several-{name}"
    st.session_state[key] = current
    st.multiselect(
        label, options, key=key, format_func=shown, max_selections=most, on_change=_all_chosen, args=(key, name)
    )
    return current


def switch(label: str, name: str, *, drops: Sequence[str] = (), help: str | None = None) -> bool:
    """Something to turn on."""
    key = f"switch-{name}"
    st.session_state[key] = given(name) == "1"
    st.toggle(label, key=key, help=help, on_change=_switched, args=(key, name, *drops))
    return given(name) == "1"


def step(label: str, name: str, value: int | str | None, *, shortcut: str, icon: str, right: bool = False) -> None:
    """A button that changes one parameter; None greys it out."""
    st.button(
        label,
        key=f"step-{name}-{icon}",
        shortcut=shortcut,
        icon=icon,
        icon_position="right" if right else "left",
        disabled=value is None,
        on_click=put,
        kwargs={name: value},
    )


def _chosen(key: str, name: str, *drops: str) -> None:
    put(**{name: st.session_state[key]}, **dict.fromkeys(drops))


def _begun_anew(key: str, name: str) -> None:
    value = st.session_state[key]
    st.query_params.clear()
    put(**{name: value})


def _all_chosen(key: str, name: str) -> None:
    st.query_params[name] = st.session_state[key]


def _switched(key: str, name: str, *drops: str) -> None:
    put(**{name: "1" if st.session_state[key] else None}, **dict.fromkeys(drops))
