package worker

import (
	"fmt"
	"reflect"
	"strings"
)

// maxErrorCharacters is what the server keeps of an error and takes as the message of a condition.
const maxErrorCharacters = 4_096

// storable makes a text one that Protobuf carries and PostgreSQL stores.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// describe returns what an error or a panic's value says, with the names of fields where it has no words of its own. Anything may
// have been thrown, of any size: fmt survives values whose own methods panic.
func describe(value any) string {
	text := storable(fmt.Sprintf("%+v", value))
	switch value.(type) {
	case error, fmt.Stringer: // some print their stack with a plus
		text = storable(fmt.Sprintf("%v", value))
	}
	if v := reflect.ValueOf(value); v.IsValid() && v.Kind() == reflect.Pointer && v.IsNil() {
		text = fmt.Sprintf("a nil %T", value) // an error all the same, and its own words would panic
	}
	if runes := []rune(text); len(runes) > maxErrorCharacters {
		text = string(runes[:maxErrorCharacters])
	}
	if text == "" {
		text = fmt.Sprintf("an error without text (%T)", value)
	}
	return text
}
