// One process adds a record to a shared list, the next prints all of them.
//
//	with multiprocessing.Manager() as manager:
//	    records = manager.list([('Sam', 10), ('Adam', 9), ('Kevin', 9)])
//	    p1 = Process(target=insert_record, args=(('Jeff', 8), records))
//	    p2 = Process(target=print_records, args=(records,))
package main

import (
	"context"
	"fmt"
	"log"

	"multiproc/manager"
	"multiproc/mp"
)

type record struct {
	Name  string
	Score int
}

type insertion struct {
	Record  record
	Records *mp.List[record]
}

func insertRecord(ctx context.Context, in insertion) error {
	if err := in.Records.Append(ctx, in.Record); err != nil {
		return err
	}
	fmt.Println("New record added!")
	fmt.Println()
	return nil
}

func printRecords(ctx context.Context, records *mp.List[record]) error {
	for r, err := range records.All(ctx) {
		if err != nil {
			return err
		}
		fmt.Printf("Name: %s\nScore: %d\n\n", r.Name, r.Score)
	}
	return nil
}

var (
	InsertRecord = mp.Proc(insertRecord)
	PrintRecords = mp.Proc(printRecords)
)

func main() {
	mp.Init()
	ctx := context.Background()

	m, err := manager.Start(ctx, manager.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close() // what "with" does in Python
	records, err := mp.NewList[record](mp.In(m))
	if err != nil {
		log.Fatal(err)
	}
	defer records.Close()
	if err := records.AppendBatch(ctx, []record{{"Sam", 10}, {"Adam", 9}, {"Kevin", 9}}); err != nil {
		log.Fatal(err)
	}

	if _, err := InsertRecord.Run(ctx, insertion{record{"Jeff", 8}, records}); err != nil {
		log.Fatal(err)
	}
	if _, err := PrintRecords.Run(ctx, records); err != nil {
		log.Fatal(err)
	}
}
