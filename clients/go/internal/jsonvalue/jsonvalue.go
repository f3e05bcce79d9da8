// Package jsonvalue writes values as JSON exactly, or says where they are none.
package jsonvalue

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Marshal is [json.Marshal] for what that writes exactly. NaN, an infinity and text that is not UTF-8, which json.Marshal replaces in
// silence, are errors that name the path; its other errors, of a channel for example, get the path as well. field is the path's
// first word.
//
// Only a result that shows a sign of trouble is looked into, so the usual value costs one search over its text.
func Marshal(field string, value any) (string, error) {
	text, err := json.Marshal(value)
	if err == nil && utf8.Valid(text) && !bytes.Contains(text, replacement) {
		return string(text), nil
	}
	if problem := find(field, reflect.ValueOf(value), 0); problem != nil {
		return "", problem
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	if !utf8.Valid(text) { // of a json.RawMessage or a MarshalJSON
		return "", fmt.Errorf("%s must be UTF-8 text", field)
	}
	return string(text), nil // a replacement character that somebody wrote as an escape
}

// What json.Marshal writes for a byte that is not UTF-8; it writes the character itself as it is.
var replacement = []byte(`\ufffd`)

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// A value that is nested deeper is refused by the server, and one that contains itself by json.Marshal.
const maxDepth = 100

// find returns an error that names the first value that JSON does not have; nil when it finds none. It follows encoding/json: what a
// type marshals by itself is its own business.
func find(path string, value reflect.Value, depth int) error {
	if depth > maxDepth || !value.IsValid() {
		return nil
	}
	if value.Kind() != reflect.Pointer && value.Kind() != reflect.Interface && marshalsItself(value) {
		return nil
	}
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		return find(path, value.Elem(), depth+1)
	case reflect.String:
		if !utf8.ValidString(value.String()) {
			return fmt.Errorf("%s must be UTF-8 text (got %q); encode bytes as base64", path, short(value.String()))
		}
	case reflect.Float32, reflect.Float64:
		if f := value.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%s must be a finite number (got %v): JSON has no other; leave it out", path, f)
		}
	case reflect.Struct:
		return findInFields(path, value, depth)
	case reflect.Map:
		return findInMap(path, value, depth)
	case reflect.Slice, reflect.Array:
		if value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Uint8 {
			return nil // written as base64
		}
		for i := range value.Len() {
			if err := find(path+"["+strconv.Itoa(i)+"]", value.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Errorf("%s must be a JSON value (got a %s); leave it out", path, value.Type())
	}
	return nil
}

func findInFields(path string, value reflect.Value, depth int) error {
	for i := range value.NumField() {
		field := value.Type().Field(i)
		tag := field.Tag.Get("json")
		if tag == "-" || (!field.IsExported() && !field.Anonymous) {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		inner := path
		if name != "" || !field.Anonymous {
			if name == "" {
				name = field.Name
			}
			inner = member(path, name)
		}
		if err := find(inner, value.Field(i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func findInMap(path string, value reflect.Value, depth int) error {
	for entries := value.MapRange(); entries.Next(); {
		key := entries.Key()
		name := fmt.Sprint(key)
		if key.Kind() == reflect.String && !marshalsItself(key) && !utf8.ValidString(key.String()) {
			return fmt.Errorf("%s must have keys of UTF-8 text (got %q)", path, short(key.String()))
		}
		if err := find(member(path, name), entries.Value(), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func marshalsItself(value reflect.Value) bool {
	t := value.Type()
	if t.Implements(jsonMarshaler) || t.Implements(textMarshaler) {
		return true
	}
	return value.CanAddr() && (reflect.PointerTo(t).Implements(jsonMarshaler) || reflect.PointerTo(t).Implements(textMarshaler))
}

func member(path, name string) string {
	for i, r := range name {
		if r != '_' && r != '$' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return path + "[" + strconv.Quote(short(name)) + "]"
		}
	}
	if name == "" {
		return path + `[""]`
	}
	return path + "." + short(name)
}

func short(text string) string {
	const max = 64
	if len(text) > max {
		return text[:max] + "…"
	}
	return text
}
