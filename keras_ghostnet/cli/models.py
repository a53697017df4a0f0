"""List the models with their parameters and multiply-adds."""

# Learned parameters, and multiply-adds of one image, of every model as it is built by default.
COSTS = {
    "ghostnet_050": (2_587_292, 42_328_152),
    "ghostnet_100": (5_182_508, 141_150_512),
    "ghostnet_130": (7_358_820, 227_003_256),
    "ghostnetv2_100": (6_156_908, 167_048_288),
    "ghostnetv2_130": (8_960_404, 269_322_976),
    "ghostnetv2_160": (12_392_698, 398_607_224),
    "ghostnetv3_050": (3_395_384, 117_528_000),
    "ghostnetv3_100": (8_129_028, 404_128_320),
    "ghostnetv3_130": (12_217_720, 654_842_824),
    "ghostnetv3_160": (17_275_700, 971_574_612),
    "repghostnet_050": (2_313_968, 43_314_720),
    "repghostnet_058": (2_546_388, 59_804_016),
    "repghostnet_080": (3_278_968, 95_518_948),
    "repghostnet_100": (4_073_604, 142_394_128),
    "repghostnet_111": (4_539_984, 170_124_224),
    "repghostnet_130": (5_478_612, 231_123_652),
    "repghostnet_150": (6_575_336, 301_315_856),
    "repghostnet_200": (9_796_124, 515_869_856),
    "g_ghost_regnetx_002": (1_825_440, 130_922_824),
    "g_ghost_regnetx_004": (2_884_456, 221_245_824),
    "g_ghost_regnetx_006": (4_029_776, 389_787_912),
    "g_ghost_regnetx_008": (5_248_328, 528_571_968),
    "g_ghost_regnetx_016": (7_109_660, 1_021_379_556),
    "g_ghost_regnetx_032": (10_511_000, 1_801_746_240),
    "g_ghost_regnetx_040": (15_726_268, 2_228_368_516),
    "g_ghost_regnetx_064": (17_993_748, 4_055_260_916),
    "g_ghost_regnetx_080": (24_586_928, 4_149_668_216),
    "g_ghost_regnetx_120": (30_627_208, 7_377_522_432),
    "g_ghost_regnetx_160": (32_381_704, 8_997_384_192),
    "g_ghost_regnetx_320": (62_815_448, 17_157_778_680),
    "ghost_vgg16": (7_650_986, 158_109_696),
    "ghost_resnet56": (430_090, 63_222_400),
}


def arguments(parser):
    parser.add_argument(
        "--size",
        type=int,
        metavar="N",
        help="side of the images in pixels (default: 224, or 32 for CIFAR's)",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: all)")


def run(args):
    from keras_ghostnet import specs
    from keras_ghostnet.cli.tables import new_table
    from keras_ghostnet.console import new_console
    from keras_ghostnet.weights import catalog

    table = new_table(
        names=("name",), texts=("weights",), figures=("pixels", "parameters", "MACs (M)")
    )
    for name in args.names or specs.SPECS:
        spec = specs.get_spec(name)
        size = spec.image_size if args.size is None else args.size
        known = COSTS.get(name) if args.size is None else None
        parameters, macs = known or _count(name, size)
        row = (str(size), f"{parameters:,}", f"{macs / 1e6:,.2f}")
        table.add_row(name, ", ".join(catalog.list_tags(name)), *row)
    new_console().print(table)


def _count(name, size):
    """Parameters and multiply-adds of a model that is built for images of another size."""
    from keras_ghostnet.command import start_backend

    start_backend()
    from keras_ghostnet import count_macs, count_parameters, create_model

    model = create_model(name, input_shape=(size, size, 3))
    return count_parameters(model), count_macs(model)
