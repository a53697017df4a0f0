"""How the public checkpoints name the layers of our networks.

One table per kind of network: a row per layer, a column per source. A layer's path is that of its
variables (`stage3_block2/ghost1/primary_conv`), without the variable's own name. The rules for
whole blocks are expanded along a specification.
"""

# fmt: off
# ours                      timm, authors                 keras_cv_attention_models  Paddle
GHOSTNET = """
stem_conv                   conv_stem                     stem_conv                  conv1._conv
stem_bn                     bn1                           stem_bn                    conv1._batch_norm
final_conv                  blocks.9.0.conv               pre_conv                   conv_last._conv
final_bn                    blocks.9.0.bn1                pre_bn                     conv_last._batch_norm
head                        conv_head                     features_conv              fc_0
predictions                 classifier                    head                       fc_1
"""  # noqa: E501 - a table with its columns under one another
GHOST_BOTTLENECK = """
ghost1/primary_conv         ghost1.primary_conv.0         ghost_1_prim_conv          ghost_module_1.primary_conv._conv
ghost1/primary_bn           ghost1.primary_conv.1         ghost_1_prim_bn            ghost_module_1.primary_conv._batch_norm
ghost1/cheap_conv           ghost1.cheap_operation.0      ghost_1_cheap_dw_conv      ghost_module_1.cheap_operation._conv
ghost1/cheap_bn             ghost1.cheap_operation.1      ghost_1_cheap_bn           ghost_module_1.cheap_operation._batch_norm
depthwise_conv              conv_dw                       down_dw_conv               depthwise_conv._conv
depthwise_bn                bn_dw                         down_bn                    depthwise_conv._batch_norm
se/reduce                   se.conv_reduce                se_1_conv                  se_block.squeeze
se/expand                   se.conv_expand                se_2_conv                  se_block.excitation
ghost2/primary_conv         ghost2.primary_conv.0         ghost_2_prim_conv          ghost_module_2.primary_conv._conv
ghost2/primary_bn           ghost2.primary_conv.1         ghost_2_prim_bn            ghost_module_2.primary_conv._batch_norm
ghost2/cheap_conv           ghost2.cheap_operation.0      ghost_2_cheap_dw_conv      ghost_module_2.cheap_operation._conv
ghost2/cheap_bn             ghost2.cheap_operation.1      ghost_2_cheap_bn           ghost_module_2.cheap_operation._batch_norm
shortcut_depthwise_conv     shortcut.0                    short_1_dw_conv            shortcut_depthwise._conv
shortcut_depthwise_bn       shortcut.1                    short_1_bn                 shortcut_depthwise._batch_norm
shortcut_conv               shortcut.2                    short_2_conv               shortcut_conv._conv
shortcut_bn                 shortcut.3                    short_2_bn                 shortcut_conv._batch_norm
"""  # noqa: E501
# ours                      Huawei
G_GHOSTNET = """
stem_conv                   conv1
stem_bn                     bn1
predictions                 fc
"""
REGNET_BLOCK = """
conv1                       conv1
bn1                         bn1
conv2                       conv2
bn2                         bn2
conv3                       conv3
bn3                         bn3
shortcut_conv               downsample.0
shortcut_bn                 downsample.1
"""
G_GHOST_STAGE = """
mix_conv1                   merge.1
mix_bn1                     merge.2
mix_conv2                   merge.4
mix_bn2                     merge.5
cheap_conv                  cheap.0
cheap_bn                    cheap.1
"""

# What the successors' blocks have in place of these rows, or besides.
# ours                              timm, authors
ATTENTION = """
ghost1/attention/conv               ghost1.short_conv.0
ghost1/attention/bn                 ghost1.short_conv.1
ghost1/attention/horizontal_conv    ghost1.short_conv.2
ghost1/attention/horizontal_bn      ghost1.short_conv.3
ghost1/attention/vertical_conv      ghost1.short_conv.4
ghost1/attention/vertical_bn        ghost1.short_conv.5
"""
# Convolutions whose branches are numbered: from 1 here, from 0 there.
GHOSTNETV3_BRANCHES = """
ghost1/primary_conv/{}              ghost1.primary_rpr_conv
ghost1/cheap_conv/{}                ghost1.cheap_rpr_conv
depthwise_conv/{}                   dw_rpr_conv
ghost2/primary_conv/{}              ghost2.primary_rpr_conv
ghost2/cheap_conv/{}                ghost2.cheap_rpr_conv
"""
GHOSTNETV3_SIDES = """
ghost1/cheap_conv/pointwise_conv    ghost1.cheap_rpr_scale.conv
ghost1/cheap_conv/pointwise_bn      ghost1.cheap_rpr_scale.bn1
ghost1/cheap_conv/skip_bn           ghost1.cheap_rpr_skip
depthwise_conv/pointwise_conv       dw_rpr_scale.conv
depthwise_conv/pointwise_bn         dw_rpr_scale.bn1
ghost2/cheap_conv/pointwise_conv    ghost2.cheap_rpr_scale.conv
ghost2/cheap_conv/pointwise_bn      ghost2.cheap_rpr_scale.bn1
ghost2/cheap_conv/skip_bn           ghost2.cheap_rpr_skip
"""
REPGHOST = """
ghost1/cheap_conv/conv1             ghost1.cheap_operation.0
ghost1/cheap_conv/bn1               ghost1.cheap_operation.1
ghost1/cheap_conv/skip_bn           ghost1.fusion_bn.0
ghost2/cheap_conv/conv1             ghost2.cheap_operation.0
ghost2/cheap_conv/bn1               ghost2.cheap_operation.1
ghost2/cheap_conv/skip_bn           ghost2.fusion_bn.0
"""
# fmt: on


def _table(text, column=1):
    return [(row[0], row[column]) for row in map(str.split, text.strip().splitlines())]


def _bottleneck_rows(family, branches, column):
    """The rows of one bottleneck of C-GhostNet or a successor."""
    rows = dict(_table(GHOST_BOTTLENECK, column))
    if family in ("ghostnetv2", "ghostnetv3"):
        rows |= dict(_table(ATTENTION))
    if family == "ghostnetv3" and branches:
        for name in (
            "ghost1/primary",
            "ghost1/cheap",
            "depthwise",
            "ghost2/primary",
            "ghost2/cheap",
        ):
            del rows[f"{name}_conv"], rows[f"{name}_bn"]
        rows |= dict(_table(GHOSTNETV3_SIDES))
        for ours, theirs in _table(GHOSTNETV3_BRANCHES):
            for number in range(branches):
                rows[ours.format(f"conv{number + 1}")] = f"{theirs}.{number}.conv"
                rows[ours.format(f"bn{number + 1}")] = f"{theirs}.{number}.bn1"
    if family == "repghostnet":
        for name in ("ghost1/cheap", "ghost2/cheap"):
            del rows[f"{name}_conv"], rows[f"{name}_bn"]
        rows |= dict(_table(REPGHOST))
    return rows


def ghostnet_rows(spec, column):
    """Our layers' paths and a source's names of them, of C-GhostNet and its successors."""
    rows = dict(_table(GHOSTNET, column))
    bottleneck = _bottleneck_rows(spec.family, getattr(spec, "branches", 1), column)
    group, member = -1, 0
    blocks = [
        (stage, number, block)
        for stage, blocks in enumerate(spec.stages, start=1)
        for number, block in enumerate(blocks, start=1)
    ]
    for place, (stage, number, block) in enumerate(blocks):
        # Torch's groups: a block of stride 2 is one, the blocks of stride 1 after it another.
        if place == 0 or block.stride == 2 or blocks[place - 1][2].stride == 2:
            group, member = group + 1, 0
        else:
            member += 1
        prefix = (f"blocks.{group}.{member}.", f"stack{place + 1}_", f"_ghostbottleneck_{place}.")
        for ours, theirs in bottleneck.items():
            rows[f"stage{stage}_block{number}/{ours}"] = prefix[column - 1] + theirs
    return rows


def g_ghostnet_rows(spec, column):
    """Our layers' paths and a source's names of them, of G-GhostNet."""
    rows = dict(_table(G_GHOSTNET, column))
    for stage, shape in enumerate(spec.stages, start=1):
        if shape.ghost:
            raw = {f"/raw{number}": f".layers.{number - 1}" for number in range(1, shape.depth - 1)}
            blocks = {"/base": ".base", **raw, "/end": ".end"}
            for ours, theirs in _table(G_GHOST_STAGE, column):
                rows[f"stage{stage}/{ours}"] = f"layer{stage}.{theirs}"
        else:
            blocks = {f"_block{n}": f".{n - 1}" for n in range(1, shape.depth + 1)}
        for our_block, their_block in blocks.items():
            for ours, theirs in _table(REGNET_BLOCK, column):
                rows[f"stage{stage}{our_block}/{ours}"] = f"layer{stage}{their_block}.{theirs}"
    return rows
