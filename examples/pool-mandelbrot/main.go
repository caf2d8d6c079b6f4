// Worker processes paint the Mandelbrot set into one shared image, a band of rows each, and
// the parent writes it as a PNG.
//
//	image = RawArray('B', width * height)
//	Pool(initializer=init, initargs=(image,)).map(paint, bands)   # not as an argument of map
//
// The array travels in the argument, and what the workers paint is in it at once: no pixel
// is sent. Bands that do not overlap need no lock. With -o FILE the picture is kept.
package main

import (
	"context"
	"flag"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"iter"
	"log"
	"os"
	"path/filepath"

	"multiproc/mp"
	"multiproc/pool"
)

const width, height, rows = 600, 400, 20 // rows of a band

type band struct {
	Image *mp.RawArray[uint8]
	From  int // row
}

func paint(_ context.Context, b band) error {
	pixels := b.Image.Elements()
	for y := b.From; y < b.From+rows; y++ {
		for x := range width {
			pixels[y*width+x] = shade(float64(x)/width*3-2, float64(y)/height*2-1)
		}
	}
	return nil
}

var Paint = mp.Proc(paint)

// shade is how soon z = z² + c leaves a circle: 0 is never. The conversions keep every
// processor to the same rounding.
func shade(cr, ci float64) uint8 {
	var r, i float64
	for n := 255; n > 0; n-- {
		rr, ii := float64(r*r), float64(i*i)
		if rr+ii > 4 {
			return uint8(n)
		}
		r, i = rr-ii+cr, float64(2*r*i)+ci
	}
	return 0
}

func bands(a *mp.RawArray[uint8]) iter.Seq[band] {
	return func(yield func(band) bool) {
		for from := 0; from < height; from += rows {
			if !yield(band{a, from}) {
				return
			}
		}
	}
}

func render(ctx context.Context, file string) error {
	a, err := mp.NewRawArray[uint8](width * height)
	if err != nil {
		return err
	}
	defer a.Close()
	p, err := pool.New(pool.Options{})
	if err != nil {
		return err
	}
	defer p.Close()
	for _, err := range Paint.Each(ctx, p, bands(a)) {
		if err != nil {
			return err
		}
	}

	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	img := &image.Gray{Pix: a.Elements(), Stride: width, Rect: image.Rect(0, 0, width, height)}
	if err := png.Encode(f, img); err != nil {
		return err
	}
	return f.Close()
}

// show prints what is in the file.
func show(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return err
	}
	gray, ok := img.(*image.Gray)
	if !ok {
		return fmt.Errorf("%s is not gray", file)
	}
	size := gray.Rect.Size()
	fmt.Printf("%d × %d pixels, checksum %08x\n", size.X, size.Y, crc32.ChecksumIEEE(gray.Pix))
	return nil
}

func run() error {
	file := flag.String("o", "", "write the picture to this `file`, which stays")
	flag.Parse()
	if *file == "" {
		dir, err := os.MkdirTemp("", "mandelbrot")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		*file = filepath.Join(dir, "mandelbrot.png")
	}
	if err := render(context.Background(), *file); err != nil {
		return err
	}
	return show(*file)
}

func main() {
	mp.Init()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
