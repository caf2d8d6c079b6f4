package codec

import "context"

// Inside makes the session of values that are kept in a place, a
// multiproc/mp/driver.Place: the handles of package mp in them stand for
// objects of the same place. Package mp, whose handles they are, sets it.
var Inside func(ctx context.Context, place any) Session
