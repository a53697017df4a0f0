"""List the devices of `ghostnet export --device`: which formats and options each takes, and why."""


def arguments(parser):
    parser.add_argument("names", nargs="*", metavar="NAME", help="devices (default: all)")


def run(args):
    from keras_ghostnet.cli.tables import new_table
    from keras_ghostnet.console import new_console
    from keras_ghostnet.export import devices

    chosen = [devices.get_device(name) for name in args.names] or devices.DEVICES
    table = new_table(names=("device",), texts=("formats", "options", "why"))
    for device in chosen:
        options = " ".join(f"--{name} {value}" for name, value in device.options.items())
        table.add_row(device.name, " ".join(device.formats), options, device.why)
    new_console().print(table)
