package pymp_test

import (
	"testing"

	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }
