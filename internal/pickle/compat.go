package pickle

import "multiproc/internal/pyvalue"

// Pickles of protocol 2 use the names of Python 2, also those that Python 3
// writes. These tables are those of CPython's _compat_pickle; the names of
// exceptions are the same, but for their module.

// modules are the modules that were renamed.
var modules = map[string]string{
	"exceptions":         "builtins",
	"BaseHTTPServer":     "http.server",
	"CGIHTTPServer":      "http.server",
	"ConfigParser":       "configparser",
	"Cookie":             "http.cookies",
	"Dialog":             "tkinter.dialog",
	"DocXMLRPCServer":    "xmlrpc.server",
	"FileDialog":         "tkinter.filedialog",
	"HTMLParser":         "html.parser",
	"Queue":              "queue",
	"ScrolledText":       "tkinter.scrolledtext",
	"SimpleDialog":       "tkinter.simpledialog",
	"SimpleHTTPServer":   "http.server",
	"SimpleXMLRPCServer": "xmlrpc.server",
	"SocketServer":       "socketserver",
	"StringIO":           "io",
	"Tix":                "tkinter.tix",
	"Tkconstants":        "tkinter.constants",
	"Tkdnd":              "tkinter.dnd",
	"Tkinter":            "tkinter",
	"UserDict":           "collections",
	"UserList":           "collections",
	"UserString":         "collections",
	"__builtin__":        "builtins",
	"_abcoll":            "collections.abc",
	"_elementtree":       "xml.etree.ElementTree",
	"_winreg":            "winreg",
	"anydbm":             "dbm",
	"cPickle":            "pickle",
	"cStringIO":          "io",
	"commands":           "subprocess",
	"cookielib":          "http.cookiejar",
	"copy_reg":           "copyreg",
	"dbhash":             "dbm.bsd",
	"dbm":                "dbm.ndbm",
	"dumbdbm":            "dbm.dumb",
	"dummy_thread":       "_dummy_thread",
	"gdbm":               "dbm.gnu",
	"htmlentitydefs":     "html.entities",
	"httplib":            "http.client",
	"markupbase":         "_markupbase",
	"repr":               "reprlib",
	"robotparser":        "urllib.robotparser",
	"test.test_support":  "test.support",
	"thread":             "_thread",
	"tkColorChooser":     "tkinter.colorchooser",
	"tkCommonDialog":     "tkinter.commondialog",
	"tkFileDialog":       "tkinter.filedialog",
	"tkFont":             "tkinter.font",
	"tkMessageBox":       "tkinter.messagebox",
	"tkSimpleDialog":     "tkinter.simpledialog",
	"ttk":                "tkinter.ttk",
	"urllib2":            "urllib.request",
	"urlparse":           "urllib.parse",
	"whichdb":            "dbm",
	"xmlrpclib":          "xmlrpc.client",
}

// renamed are the names that moved to another module or changed.
var renamed = map[pyvalue.Global]pyvalue.Global{
	{Module: "UserDict", Name: "IterableUserDict"}:           {Module: "collections", Name: "UserDict"},
	{Module: "UserDict", Name: "UserDict"}:                   {Module: "collections", Name: "UserDict"},
	{Module: "UserList", Name: "UserList"}:                   {Module: "collections", Name: "UserList"},
	{Module: "UserString", Name: "UserString"}:               {Module: "collections", Name: "UserString"},
	{Module: "__builtin__", Name: "basestring"}:              {Module: "builtins", Name: "str"},
	{Module: "__builtin__", Name: "intern"}:                  {Module: "sys", Name: "intern"},
	{Module: "__builtin__", Name: "long"}:                    {Module: "builtins", Name: "int"},
	{Module: "__builtin__", Name: "reduce"}:                  {Module: "functools", Name: "reduce"},
	{Module: "__builtin__", Name: "unichr"}:                  {Module: "builtins", Name: "chr"},
	{Module: "__builtin__", Name: "unicode"}:                 {Module: "builtins", Name: "str"},
	{Module: "__builtin__", Name: "xrange"}:                  {Module: "builtins", Name: "range"},
	{Module: "_multiprocessing", Name: "Connection"}:         {Module: "multiprocessing.connection", Name: "Connection"},
	{Module: "_socket", Name: "fromfd"}:                      {Module: "socket", Name: "fromfd"},
	{Module: "itertools", Name: "ifilter"}:                   {Module: "builtins", Name: "filter"},
	{Module: "itertools", Name: "ifilterfalse"}:              {Module: "itertools", Name: "filterfalse"},
	{Module: "itertools", Name: "imap"}:                      {Module: "builtins", Name: "map"},
	{Module: "itertools", Name: "izip"}:                      {Module: "builtins", Name: "zip"},
	{Module: "itertools", Name: "izip_longest"}:              {Module: "itertools", Name: "zip_longest"},
	{Module: "multiprocessing", Name: "AuthenticationError"}: {Module: "multiprocessing.context", Name: "AuthenticationError"},
	{Module: "multiprocessing", Name: "BufferTooShort"}:      {Module: "multiprocessing.context", Name: "BufferTooShort"},
	{Module: "multiprocessing", Name: "ProcessError"}:        {Module: "multiprocessing.context", Name: "ProcessError"},
	{Module: "multiprocessing", Name: "TimeoutError"}:        {Module: "multiprocessing.context", Name: "TimeoutError"},
	{Module: "multiprocessing.forking", Name: "Popen"}:       {Module: "multiprocessing.popen_fork", Name: "Popen"},
	{Module: "multiprocessing.process", Name: "Process"}:     {Module: "multiprocessing.context", Name: "Process"},
	{Module: "socket", Name: "_socketobject"}:                {Module: "socket", Name: "SocketType"},
	{Module: "urllib", Name: "ContentTooShortError"}:         {Module: "urllib.error", Name: "ContentTooShortError"},
	{Module: "urllib", Name: "getproxies"}:                   {Module: "urllib.request", Name: "getproxies"},
	{Module: "urllib", Name: "pathname2url"}:                 {Module: "urllib.request", Name: "pathname2url"},
	{Module: "urllib", Name: "quote"}:                        {Module: "urllib.parse", Name: "quote"},
	{Module: "urllib", Name: "quote_plus"}:                   {Module: "urllib.parse", Name: "quote_plus"},
	{Module: "urllib", Name: "unquote"}:                      {Module: "urllib.parse", Name: "unquote"},
	{Module: "urllib", Name: "unquote_plus"}:                 {Module: "urllib.parse", Name: "unquote_plus"},
	{Module: "urllib", Name: "url2pathname"}:                 {Module: "urllib.request", Name: "url2pathname"},
	{Module: "urllib", Name: "urlcleanup"}:                   {Module: "urllib.request", Name: "urlcleanup"},
	{Module: "urllib", Name: "urlencode"}:                    {Module: "urllib.parse", Name: "urlencode"},
	{Module: "urllib", Name: "urlopen"}:                      {Module: "urllib.request", Name: "urlopen"},
	{Module: "urllib", Name: "urlretrieve"}:                  {Module: "urllib.request", Name: "urlretrieve"},
	{Module: "urllib2", Name: "HTTPError"}:                   {Module: "urllib.error", Name: "HTTPError"},
	{Module: "urllib2", Name: "URLError"}:                    {Module: "urllib.error", Name: "URLError"},
	{Module: "whichdb", Name: "whichdb"}:                     {Module: "dbm", Name: "whichdb"},
}

// modern returns the name in Python 3 of what Python 2 called otherwise.
func modern(g pyvalue.Global) pyvalue.Global {
	if new, ok := renamed[g]; ok {
		return new
	}
	if g == (pyvalue.Global{Module: "exceptions", Name: "StandardError"}) {
		return pyvalue.Global{Module: "builtins", Name: "Exception"}
	}
	if new, ok := modules[g.Module]; ok {
		g.Module = new
	}
	return g
}
