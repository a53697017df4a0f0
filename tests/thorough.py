"""What `make test` leaves to `make test-thorough`: more of the same than it needs to find a fault.

By file, each line begins a test's name, or is a parameter of any test in brackets, and says which
test of `make test` holds the same in small: another parameter, or a file.
"""

# Networks between the smallest, that of the paper's figures, and the largest.
MIDDLE = ("004", "006", "008", "016", "040", "064", "080", "120", "160")
# Widths of the successors of GhostNet but the one that `make test` builds.
WIDTHS = (
    *(f"ghostnetv2_{width}" for width in ("130", "160")),
    *(f"ghostnetv3_{width}" for width in ("100", "130", "160")),
    *(f"repghostnet_{width}" for width in ("050", "080", "100", "111", "130", "150", "200")),
)

THOROUGH = {
    "export/test_successors.py": {
        "[ghostnetv3": "[ghostnetv2, export/graph/test_deploy.py",
        "[repghost": "[ghostnetv2, export/graph/test_deploy.py",
        **{
            f"test_artifacts_compute_the_same[ghostnetv2_100-{name}": "[ghostnetv2_100-tflite_fp32]"
            for name in ("mnn", "ncnn", "openvino", "onnx", "saved_model", "tflite_int8")
        },
        "test_tensorrt_takes_the_onnx_files[ghostnetv2": "export/test_tensorrt.py",
    },
    "export/test_openvino.py": {
        "test_networks": "test_the_command_exports_and_verifies",
        "test_nothing_is_reported_to_anybody[nncf": "[openvino",
        "test_a_converter_that_crashes": "export/test_mobile_runtimes.py, the same",
    },
    "export/test_layerwise.py": {
        "test_the_command": "test_worst_first",
        "test_the_first_layer_that_is_wrong_is_found[onnx_int8]": "[tflite_int8]",
    },
    "export/test_keep_float.py": {
        "test_the_command": "test_onnx, test_tflite",
        "test_onnx[tensorrt]": "[onnxruntime]",
    },
    "training/test_evaluation.py": {
        "test_figures[softmax-1000000]": "[None-13]",
        "test_every_image_of_a_keras_model": "test_figures[None",
    },
    "export/quantization/test_quantize_aware.py": {
        "test_ranges_are_those_of_the_float_model": "test_accuracy_is_kept",
        "test_fake_quantization_is_what_the_file_computes": "test_accuracy_is_kept",
        "test_it_tells_how_far_it_is_and_nothing_else": "test_command.py",
    },
    "training/test_distribution.py": {
        "[mirrored": "[multi_worker",
        "[all-mirrored": "[all-multi_worker",
        "[pooled": "[all, and test_classifiers.py, which batch norms are pooled",
        "test_workers_as_mirrored": "test_as_one_process",
    },
    "training/test_run.py": {
        "test_what_is_not_finite_stops_a_run[1000]": "[1]",
        "test_stopped_and_killed": "training/test_loop.py, restored state",
    },
    "training/test_recipe_runs.py": {
        "test_recipe_runs[ghost_vgg16_cifar10]": "the other families",
        "test_recipe_runs[g_ghost_regnetx_032_imagenet]": "[ghostnet_050_imagenet]",
        "test_recipe_runs[ghostnetv2_100_imagenet]": "[ghostnet_050_imagenet], and test_loop.py",
        "test_recipe_runs[ghostnetv3_100_imagenet]": "[ghostnet_050_imagenet], and test_loop.py",
        "test_recipe_runs[ghostnet_100_imagenet_modern]": "the same, and test_classifiers.py",
    },
    "training/test_pipeline.py": {
        "test_evaluation_sees_every_example_once[records-12-3]": "[records-64-4]",
        "test_evaluation_sees_every_example_once[records-7-1]": "[records-64-4]",
        "test_shards_and_threads_do_not_matter[folder": "[records",
        "test_evaluation_sees_every_example_once[folder": "[records",
    },
    "training/test_label_maps.py": {
        "test_images_and_maps_move_together[png": "[jpg",
        "test_images_and_maps_move_together[jpg-settings0]": "[jpg-settings2]",
        "test_images_and_maps_move_together[jpg-settings1]": "[jpg-settings2]",
        "test_evaluation_sees_the_same_part_of_both[png]": "[jpg]",
        "test_what_is_beyond_the_image_has_no_class": "test_images_and_maps_move_together",
        "test_maps_that_do_not_fit_are_bad_examples[png]": "[jpg]",
    },
    "training/test_segmentation.py": {
        "test_figures_are_of_pixels_that_have_a_class[softmax]": "[None]",
        "test_a_run": "test_run.py, test_figures_are_of_pixels_that_have_a_class",
        "test_a_file_s_network": "test_networks.py",
        "test_the_network[32]": "[16]",
        "test_the_network[8]": "[16]",
    },
    "training/test_loop.py": {
        "test_distillation[4.0-softmax]": "[1.0-None]",
        "test_distillation[1.0-softmax]": "[4.0-softmax]",
        "test_distillation[4.0-None]": "[1.0-None]",
        "test_mixed_precision_stays_near_float32[mixed_float16": "[mixed_bfloat16",
    },
    "benchmark/test_scaling.py": {
        "test_the_device_at_hand": "the other tests of the model",
    },
    "benchmark/networks/test_deployed_networks.py": {
        "": "export/graph/test_deploy.py",
    },
    "benchmark/comparison/test_cache.py": {
        "test_a_damaged_file_is_made_again[json]": "[file]",
        "test_a_damaged_file_is_made_again[missing]": "[file]",
        "test_random_networks": "export/graph/test_tracing.py",
    },
    "benchmark/comparison/test_compare_cli.py": {
        "test_more_threads_than_cores": "test_rows_and_models_of_one_s_own",
        "test_gpu_suite_in_small": "test_throughput.py",
        "test_an_interrupted_run": "test_measure.py",
        "test_a_device_s_csv_comes_back": "test_kit.py",
        "test_runs_of_one_s_own_alone": "test_own_models.py",
    },
    "benchmark/comparison/test_runtimes.py": {
        "test_a_kit_carries_the_runtimes_that_it_is_asked_for": "test_kit.py, "
        "export/test_mobile_runtimes.py, a device's script",
    },
    "export/graph/test_deploy.py": {
        "test_flattening_alone_is_bit_identical[002]": "test_our_models[002]",
        "test_no_shape_is_computed_at_run_time[g_ghost_regnetx_002]": "[ghostnet_050]",
        "test_successors_of_ghostnet[repghostnet_050]": "graph/test_passes.py, branches",
        "test_successors_of_ghostnet[ghostnetv": "[repghostnet, test_passes.py, branches",
        "test_both_forms": "weights/test_folding.py",
        "test_the_file_loads_without_this_package": "test_nothing_of_ours_and_nothing_of_training",
        "test_models_of_keras[EfficientNetB0]": "[MobileNetV3Large]",
        "test_models_of_keras[ResNet50]": "[MobileNet]",
        "test_models_of_keras[MobileNetV3Large]": "[MobileNet], test_networks.py",
        "[logits]": "[002], export/test_formats.py, whole networks",
        "test_our_models[maps]": "[logits]",
        "test_our_models[006]": "[002]",
        "test_flattening_alone_is_bit_identical[maps]": "[logits]",
        "test_flattening_alone_is_bit_identical[006]": "[002]",
        "test_nothing_of_ours_and_nothing_of_training_is_left[maps]": "[logits]",
        "test_nothing_of_ours_and_nothing_of_training_is_left[006]": "[002]",
        "test_no_shape_is_computed_at_run_time[MobileNetV3Small]": "[g_ghost",
    },
    "export/graph/test_lowering.py": {
        "test_files_of_every_target[ghostnet_050-amx]": "[ghostnet_050-arm]",
        "test_files_of_every_target[ghostnet_050-avx512]": "[ghostnet_050-amx]",
        "[g_ghost_regnetx_002": "[ghostnet_050",
        "test_files_of_every_target[ghostnet_050-avx2]": "[ghostnet_050-avx512]",
    },
    "export/graph/test_tuning.py": {
        "test_the_command": "test_what_pays_stays",
        "test_real_clock": "test_what_pays_stays",
    },
    "export/test_formats.py": {
        "test_raw_pixels[tflite_int8]": "[tflite_fp32]",
        "test_whole_networks[ghostnet_050": "graph/test_lowering.py, files of every target",
        "test_kernels_have_a_scale_for_every_channel[g_ghost": "[ghostnet_050",
        "test_saved_model_takes_any_batch[g_ghost": "[ghostnet_050",
        "test_int8_takes_no_nan[g_ghost": "[ghostnet_050",
        "test_int8_is_int8_from_input_to_output[g_ghost": "[ghostnet_050",
        "test_int8_computes_nearly_the_same[g_ghost": "[ghostnet_050",
        "test_half_precision_computes_nearly_the_same[g_ghost": "[ghostnet_050",
        "test_single_runs_one_image[g_ghost": "[ghostnet_050",
        "test_tflite_has_only_plain_operators[g_ghost": "[ghostnet_050",
        "test_float_artifacts_compute_the_same[g_ghost": "[ghostnet_050, test_onnx.py",
        "test_whole_networks[g_ghost": "[ghostnet_050]",
        "test_files_of_half_precision_alone_declare_it[g_ghost": "[ghostnet_050",
        "test_the_arithmetic_is_found_by_running[g_ghost": "[ghostnet_050",
        "test_raw_pixels[tflite_fp16]": "[tflite_fp32]",
        "test_io_types[int8]": "[uint8], and what is exported without `io`, as in test_inputs.py",
    },
    "export/test_mobile_runtimes.py": {
        "test_other_files_in_a_folder": "test_foreign_folders.py",
        "test_artifacts_compute_the_same": "test_the_command_exports_verifies_and_predicts",
    },
    "export/test_keras_layers.py": {
        "test_layers_that_a_format_takes[saved_model]": "[onnx_fp32], [tflite_fp32]",
        "test_every_layer[": "test_layers_that_a_format_takes, test_a_layer_that_is_refused",
    },
    "export/test_exporting.py": {
        "test_verify_passes_what_was_exported": "export/test_verify.py, sound artifacts",
        "test_raw_pixels_and_uint8": "test_inputs.py, bytes without another normalization",
        "test_images_without_classes": "test_verbs.py, calibration in memory",
        "test_verify_from_another_folder": "test_verify_passes_what_was_exported",
        "test_verify_on_other_images": "test_verify_from_another_folder",
        "test_quantization_aware_training": "quantization/test_command.py",
        "test_another_run_replaces_nothing": "test_a_run_replaces_its_own_after_more_training",
    },
    "export/quantization/test_bridge.py": {
        "test_applications[MobileNetV3Small]": "test_deployment_graphs, test_layers_that_differ",
        "test_applications[EfficientNetB0]": "[MobileNetV3Small]",
        "test_applications[MobileNetV2]": "[MobileNetV3Small]",
        "test_deployment_graphs[g_ghost": "[ghostnet_050]",
    },
    "export/saved_model/test_load.py": {
        "test_16_threads[quick]": "export/saved_model/test_clients.py",
    },
    "test_models.py": {
        "test_model_bears_its_name[ghostnetv3_050]": "test_golden.py",
        "test_the_folded_form_is_as_large_as_published[ghostnetv3_050]": "[ghostnetv3_100]",
        "test_model_bears_its_name[g_ghost_regnetx_320]": "[g_ghost_regnetx_032]",
        "test_parameters_are_the_papers[ghostnetv3_050]": "test_golden.py",
        "test_parameters_are_the_papers[g_ghost_regnetx_320]": "[g_ghost_regnetx_032]",
        **{f"[g_ghost_regnetx_{size}]": "[g_ghost_regnetx_032]" for size in MIDDLE},
        **{f"[{name}]": "the other width of its family" for name in WIDTHS},
    },
    "benchmark/networks/test_networks.py": {
        "[condensenet_v2_a]": "test_condensenet_fe_net.py",
        "[mobilenet_v2_075]": "the others",
        "[starnet_s1]": "test_networks_since.py",
        "[repvit_m0_9]": "test_networks_since.py",
        "[fe_net_100]": "test_condensenet_fe_net.py",
        "[proxylessnas_mobile]": "the others",
        "[mobilenet_v2_100]": "the others",
        "[mobilenet_v3_large_100]": "the others",
        "[shufflenet_v2_150]": "the others",
        "[shufflenet_v2_100]": "the others",
        "[mnasnet_a1]": "the others",
        "[mobilenext_100]": "the others",
        "[fbnet_b]": "the others",
        "[resnet_50]": "the others",
        "[regnetx_032]": "the others",
        **{f"[regnetx_{size}]": "[regnetx_032]" for size in MIDDLE},
        **{f"[g_ghost_regnetx_{size}]": "[g_ghost_regnetx_032]" for size in MIDDLE},
        **{f"[{name}]": "the other width of its family" for name in WIDTHS},
        "[regnetx_320]": "[regnetx_032]",
        "[mobilenet_v2_035]": "[mobilenet_v2_100]",
        "[mobilenet_v3_large_035]": "[mobilenet_v3_large_100]",
        "[mobilenet_v3_large_075]": "[mobilenet_v3_large_100]",
        "[shufflenet_v2_050]": "[shufflenet_v2_100]",
        "[ghostnet_050]": "test_models.py",
        "[ghostnet_100]": "test_models.py",
        "[ghostnet_130]": "test_models.py",
    },
    "test_cifar_models.py": {
        "test_backbone_of_a_fine_tuned_vgg": "weights/test_keras3.py, the same",
        "test_with_a_ratio_of_1_they_are_the_plain_networks[GhostResNet56": "[GhostVGG16",
        "test_channels_first": "layers/test_all_layers.py",
        "test_weights_are_those_that_were_saved[GhostVGG16-.keras]": "[GhostVGG16-.weights.h5]",
        "test_weights_are_those_that_were_saved[GhostResNet56": "[GhostVGG16",
        "test_other_sizes_classes_and_channels[GhostResNet56": "[GhostVGG16",
        "test_figures_are_the_papers[GhostResNet56-{'ratio'": "[GhostResNet56-{}",
        "test_any_ratio_is_recognized": "weights/test_keras3.py",
        "test_weights_of_a_network_of_imagenet": "test_weights_of_another_network_are_refused",
    },
    "test_golden.py": {
        "test_float32[timm_ghostnet_100_192": "[timm_ghostnet_100_224",
        "test_float64[timm_ghostnet_100_192": "[timm_ghostnet_100_224",
        "[timm_ghostnetv3": "test_folded_on_loading",
        "test_mixed_precision[mixed_float16": "[mixed_bfloat16",
        "test_mixed_precision[mixed_bfloat16-False]": "[mixed_bfloat16-True]",
        "test_float64[timm_repghostnet": "test_float32[timm_repghostnet",
        "test_float32[huawei_g_ghost_regnetx_016": "[huawei_g_ghost_regnetx_002",
        "test_float32[kecam_ghostnet_100": "[kecam_ghostnet_050",
        "test_float64[huawei_g_ghost_regnetx_016": "[huawei_g_ghost_regnetx_032",
        "test_float64[huawei_ghostnet_050": "[huawei_ghostnet_100",
        "test_float64[kecam": "[timm_ghostnet_100",
        "test_float32[huawei_ghostnet_100": "test_float64",
        "test_float32[huawei_g_ghost_regnetx_032": "test_float64",
        "test_float32[paddle": "test_float64",
        "test_float32[timm": "test_float64",
    },
    "training/test_classifiers.py": {
        "test_training_begins_with_another_run_s_backbone[first]": "[second]",
        "test_training_begins_with_another_run_s_backbone[second/model.keras]": "[second]",
    },
    "benchmark/comparison/test_pictures.py": {
        "test_costs_of_other_magnitudes": "test_labels_of_a_crowd_do_not_cover_each_other",
        "test_every_row_has_a_label_and_none_covers_another[paper]": "[since]",
        "test_png_has_a_picture_of_each_kind": "test_every_row_has_a_label_and_none_covers_another",
        "test_labels_of_a_crowd_do_not_cover_each_other[1]": "[0]",
        "test_labels_of_a_crowd_do_not_cover_each_other[2]": "[0]",
    },
    "test_cli.py": {
        "test_convert_weights_prints_what_it_mapped": "weights/test_conversion.py",
    },
    "test_image_size.py": {
        "test_verbs_take_a_size_under_any_settings_of_keras[float16]": "the others there",
        "test_verbs_take_a_size_under_any_settings_of_keras[float64]": "the others there",
    },
    "weights/test_hostile_files.py": {
        "test_bits_flipped[keras 2]": "the other formats, and make test-hostile",
        "test_bits_flipped[torch legacy]": "the other formats, and make test-hostile",
    },
    "ghosting/test_warm_start.py": {
        "test_little_is_lost_without_training_and_more_is_gained": "the others, without training",
    },
    "weights/test_hostile_pickles.py": {
        "[wrap_torch_legacy]": "[wrap_torch_zip]",
        "[wrap_paddle]": "[wrap_torch_zip]",
    },
    "training/test_bad_examples.py": {
        "test_training_goes_on_too_and_is_the_same_for_all_shards": "a stopped pipeline",
        "test_what_most_are_changes_nothing[False]": "test_most_are_what_a_few_are",
        "test_what_can_be_decoded_is_and_the_rest_is_named[folder]": "[records]",
        "test_what_most_are_changes_nothing[True]": "test_most_are_what_a_few_are",
    },
    "export/quantization/test_pruning.py": {
        "test_what_does_not_fit_is_told_at_once": "test_quantize_aware.py",
        "test_sparsity_is_reached": "test_quantize_aware.py, the same training",
        "test_other_kernels_stay_dense": "test_quantize_aware.py",
        "test_accuracy_is_kept_and_the_model_untouched": "test_quantize_aware.py",
    },
    "hub/test_evaluation.py": {
        "test_the_command[]": "[@v1]",
    },
    "export/test_onnx.py": {
        "test_float32_equals_the_model[ghostnet_050-NHWC]": "[g_ghost_regnetx_002-NHWC]",
        "test_int8_for_onnx_runtime[ghostnet_050]": "[g_ghost_regnetx_002]",
        "test_float32_for_onnx_runtime[ghostnet_050]": "[g_ghost_regnetx_002]",
        "test_the_page_s_code_runs": "test_verbs.py",
        "test_tensorrt_takes_every_file[ghostnet_050]": "[g_ghost",
    },
    "export/test_verbs.py": {
        "test_names_of_models_stay_within_the_folder[a/../b": "[..]",
    },
    "export/saved_model/test_layout.py": {
        "test_settings_of_one_s_own_are_kept": "test_versions_count_on",
        "test_warm_up_records[g_ghostnet]": "[ghostnet]",
    },
    "training/test_cifar.py": {
        "test_a_batch_of_the_recipe_goes_through_its_network[ghost_vgg": "[ghost_resnet",
        "test_a_batch_of_the_recipe_goes_through_its_network[ghost_resnet56": "[ghost_vgg16",
    },
    "test_command.py": {
        "test_what_measures_starts_quietly": "test_tensorflow_hears_of_it_and_is_quiet",
        "test_keras_json_does_not_change_the_command": "test_image_size.py",
        "test_tensorflow_hears_of_it_and_is_quiet[train.py": "[ghostnet-None",
        "test_tensorflow_hears_of_it_and_is_quiet[ghostnet-0": "[ghostnet-None",
    },
    "test_finetuning.py": {
        "test_mixed_precision_trains_in_bfloat16": "training/test_loop.py, the same policy",
        "test_clones_and_copied_weights_compute_the_same[ghostnet]": "[g_ghost]",
        "test_frozen_batch_norms_keep_everything_while_the_rest_learns[ghostnet]": "[g_ghost]",
        "test_saved_model_is_the_same_in_another_process": "export/graph/test_deploy.py",
        "test_frozen_layers_keep_weights_and_statistics_while_others_learn[ghostnet]": "[g_ghost]",
        "test_training_reduces_the_loss[g_ghost]": "[ghostnet]",
        "test_training_moves_weights_and_statistics_of_every_layer[g_ghost]": "[ghostnet]",
        "test_trained_model_survives_saving_with_its_optimizer[g_ghost]": "[ghostnet]",
        "test_frozen_backbone_stays_as_it_was_while_the_classifier_learns[ghostnet]": "[g_ghost]",
        "test_frozen_batch_norms_keep_everything_while_the_rest_learns[g_ghost]": "[ghostnet]",
    },
    "export/test_bad_input.py": {
        "test_a_full_disk_leaves_the_previous_artifact": "test_what_fails_leaves_the_previous",
        "test_missing_runtime_of_an_artifact[verify]": "[predict]",
        "test_a_killed_export": "test_what_fails_leaves_the_previous_artifacts",
    },
    "export/test_heads.py": {
        "test_sigmoids_are_exported_verified_and_predicted[labels-tflite_i": "[unit-tflite_int8]",
        "test_sigmoids_are_exported_verified_and_predicted[unit-onnx_fp32]": "[labels-onnx_fp32]",
        "[unit-tflite_fp32]": "[unit-tflite_int8]",
        "[labels-tflite_fp32]": "[labels-tflite_int8]",
        "[unit logit-": "[unit-",
    },
    "export/test_inputs.py": {
        "test_they_are_verified_again": "test_exporting.py, test_verify_passes_what_was_exported",
        "test_its_artifacts_take_pixels[small/1]": "[small_fp32.tflite]",
        "test_models_of_16_bits_are_exported_as_float32": "test_precision.py, graph/test_deploy.py",
    },
    "layers/test_convolution.py": {
        "test_grouped_convolution_in_a_graph_without_onednn": "the same with oneDNN",
    },
    "weights/test_conversion.py": {
        "test_the_written_file_holds_the_same_network[.weights.h5]": "[.keras]",
    },
    "test_documents.py": {
        "test_the_models_page": "weights/test_folding.py",
    },
    "weights/test_folding.py": {
        "test_there_and_back[.keras]": "[.weights.h5]",
        "test_own_form": "test_golden.py",
        "test_keras_files_of_each_family": "test_there_and_back, weights/test_keras3.py",
    },
    "weights/test_keras3.py": {
        "test_round_trip[True-.weights.h5]": "[False-.keras]",
        "test_backbone_of_a_fine_tuned_network[GGhostRegNetX002": "[constructor0",
        "test_round_trip[True-.keras]": "[False-.keras]",
        "test_round_trip[False-.weights.h5]": "[True-.weights.h5]",
        "test_backbone_of_a_fine_tuned_network[constructor0-.weights.h5]": "[GGhostRegNetX002",
        "test_backbone_of_a_fine_tuned_network[GGhostRegNetX002-.keras]": "[constructor0-.keras]",
    },
    "test_counting.py": {
        "test_counting_leaves_no_nodes[GhostNet]": "[nested]",
        "test_counting_leaves_no_nodes[MobileNetV2]": "[nested]",
    },
    "test_model_file.py": {
        "test_published_networks[EfficientNetB0]": "[MobileNetV3Small]",
        "test_published_networks[ConvNeXtTiny]": "[MobileNetV3Small]",
    },
    "test_model_file_mutations.py": {
        "test_nothing_else_is_looked_up[many": "[few",
    },
    "export/saved_model/test_signatures.py": {
        "[g_ghostnet": "[ghostnet",
    },
    "export/test_verify.py": {
        "test_planted_faults_are_caught[saved_model-wrong padding of": "[onnx_fp32-wrong padding",
        "test_planted_faults_are_caught[tflite_int8-wrong padding of": "[onnx_fp32-wrong padding",
        "test_planted_faults_are_caught[tflite_fp32": "[tflite_int8, [onnx_fp32",
    },
    "benchmark/comparison/test_report.py": {
        "test_models_without_a_row_follow": "test_own_models.py",
    },
    "training/test_progress.py": {
        "test_training_batch[False]": "[True]",
    },
    # What the constructors share is in one function: either family calls it.
    "test_api.py": {
        "test_activation_may_be_a_function[ghostnet]": "[g_ghost]",
        "test_dropout_is_in_training_alone[ghostnet]": "[g_ghost]",
        "test_input_tensor_may_be_within_a_network[ghostnet]": "[g_ghost]",
        "test_input_tensor_may_come_of_several_inputs[ghostnet]": "[g_ghost]",
        "test_input_tensor_tells_the_channels_and_the_size[ghostnet]": "[g_ghost]",
        "test_other_numbers_of_channels[ghostnet-4]": "[g_ghost-4]",
        "test_other_numbers_of_channels[g_ghost-1]": "[ghostnet-1]",
        "test_pooling_is_over_all_places[ghostnet-max-max]": "[g_ghost-max-max]",
        "test_pooling_is_over_all_places[g_ghost-avg-mean]": "[ghostnet-avg-mean]",
        "test_size_does_not_change_what_the_weights_mean_without_top[ghostnet]": "[g_ghost]",
        "test_softmax_is_taken_of_the_logits_that_activation_none_puts_out[ghostnet]": "[g_ghost]",
        "test_size_does_not_change_what_the_weights_mean_with_top[ghostnet]": "[g_ghost]",
        "test_input_tensor_may_be_an_input[ghostnet]": "[g_ghost]",
    },
    "benchmark/test_quickstart.py": {
        "test_a_short_run_in_a_process_of_its_own": "make test-quickstart; training/test_run.py, "
        "export/test_exporting.py, benchmark/test_report.py, its parts",
    },
    "test_wheel.py": {
        "test_imports_outside_the_checkout": "make test-wheel, test_editable_install",
    },
    "weights/test_transfer.py": {
        "test_without_the_top_the_rest_is_the_same[GGhostRegNetX002": "[<lambda>",
        "test_the_top_is_complete_or_absent[classifier.bias]": "[conv_head.weight]",
        "test_any_width_is_told_by_the_shapes[0.35]": "[1.7]",
        "test_any_width_is_told_by_the_shapes[0.75]": "[1.7]",
        "test_only_what_the_table_knows_of_the_top_is_left_out[stem_conv": "[predictions/kernel]",
        "test_only_what_the_table_knows_of_the_top_is_left_out[head/head": "[predictions/kernel]",
    },
    "training/test_networks.py": {
        "test_ghostified_trained_and_continued_by_the_command": "its parts, in the other tests",
    },
    "export/quantization/test_command.py": {
        "test_a_run_is_quantized_and_compared": "test_quantize_aware.py, test_cli.py",
    },
    "layers/test_all_layers.py": {
        "test_mixed_precision_computes_in_half_and_keeps_float32[mixed_float16": "[mixed_bfloat16",
        **{
            f"{test}{sample}": "[bottleneck] and [stage], and the layers within"
            for sample in ("bottleneck_", "stage_")
            for test in (
                "test_mixed_precision_computes_in_half_and_keeps_float32[mixed_bfloat16-",
                "test_float64_is_more_precise[",
                "test_data_format_is_keras_own_unless_it_is_given[",
            )
        },
        "test_channels_first_has_the_same_weights_and_shapes[stage_spread]": "[stage]",
        "test_channels_first_has_the_same_weights_and_shapes[bottleneck_spread]": "the others",
        "test_channels_first_has_the_same_weights_and_shapes[bottleneck_branches]": "[branches]",
    },
    "test_features.py": {
        "test_dilated_network_is_the_one_without_strides[g_ghost_regnetx_002": "[ghostnet_050",
        "test_successors_blocks[size1": "[size0",
    },
    "benchmark/test_profiling.py": {
        "test_a_call_that_takes_too_long_is_ended[tflite_int8]": "[tflite_fp32]",
        "test_command[tflite_int8]": "[tflite_fp32]",
    },
    "weights/test_names.py": {
        "test_tensors_beside_the_network_are_refused_by_the_name_in_the_file[conv": "[head.weight]",
        "test_tensors_beside_the_network_are_refused_by_the_name_in_the_file[mod": "[head.weight]",
        "test_what_is_no_counter_is_refused[bn1.total_ops_weight": "[bn1.total_ops-",
    },
    "export/test_maps.py": {
        "test_the_command_with_images_without_classes": "test_figures_are_of_pixels",
    },
    "export/test_devices.py": {
        "test_what_is_fastest_here": "export/graph/test_tuning.py, what pays",
    },
    "export/saved_model/test_clients.py": {
        "test_the_code_of_the_document": "test_answers[client_rest]",
    },
    "export/test_prediction.py": {
        "test_onnx_computes_what_its_model_does": "test_artifacts_compute_what_their_model_does",
    },
}
