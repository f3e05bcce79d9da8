package jsonvalue

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

type part struct {
	Name   string  `json:"name,omitempty"`
	Load   float64 `json:"load"`
	hidden float64
	Skip   float64 `json:"-"`
}

type base struct{ Note string }

type whole struct {
	base
	Base2 *part `json:"base"`
	Parts map[string][]*part
}

func TestWritesWhatJSONHas(t *testing.T) {
	odd := part{Name: "é\ufffd", hidden: math.NaN(), Skip: math.NaN()}
	for _, c := range []struct {
		value any
		text  string
	}{
		{nil, "null"},
		{odd, `{"name":"é` + "\ufffd" + `","load":0}`},
		{map[string]any{"b": 1, "a": []any{true, nil, "x"}}, `{"a":[true,null,"x"],"b":1}`},
		{map[int]string{1: "a"}, `{"1":"a"}`},
		{json.RawMessage(`{"a":"\ufffd","n":12345678901234567890}`), `{"a":"\ufffd","n":12345678901234567890}`},
		{[]byte{0xff}, `"/w=="`},
		{time.Unix(0, 0).UTC(), `"1970-01-01T00:00:00Z"`},
		{`a \ufffd in a text`, `"a \\ufffd in a text"`},
	} {
		text, err := Marshal("spec", c.value)
		if err != nil || text != c.text {
			t.Errorf("Marshal(%v) = %q, %v; want %q", c.value, text, err, c.text)
		}
	}
}

func TestRefusesWhatJSONHasNotByItsPath(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		value   any
		message string
	}{
		{nan, "status must be a finite number (got NaN)"},
		{&whole{Base2: &part{Load: math.Inf(-1)}}, "status.base.load must be a finite number (got -Inf)"},
		{whole{Parts: map[string][]*part{"a b": {nil, {Load: nan}}}}, `status.Parts["a b"][1].load must be a finite number`},
		{whole{base: base{Note: "caf\xe9"}}, `status.Note must be UTF-8 text (got "caf\xe9"); encode bytes as base64`},
		{map[string]any{"list": []any{1, map[string]string{"k": "\xff"}}}, `status.list[1].k must be UTF-8 text (got "\xff")`},
		{map[string]any{"m": map[string]int{"\xff": 1}}, `status.m must have keys of UTF-8 text (got "\xff")`},
		{map[string]any{"c": make(chan int)}, "status.c must be a JSON value (got a chan int); leave it out"},
		{struct{ F func() }{func() {}}, "status.F must be a JSON value (got a func())"},
		{json.RawMessage("\"\xff\""), "status must be UTF-8 text"},
		{json.RawMessage("{"), "status: json: error calling MarshalJSON"},
		{float32(math.Inf(1)), "status must be a finite number (got +Inf)"},
	} {
		text, err := Marshal("status", c.value)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("Marshal(%v) = %q, %v; want an error with %q", c.value, text, err, c.message)
		}
	}
}

func TestRefusesWhatContainsItself(t *testing.T) {
	ring := map[string]any{}
	ring["ring"] = ring
	if _, err := Marshal("status", ring); err == nil {
		t.Error("a map that contains itself was written")
	}
}
