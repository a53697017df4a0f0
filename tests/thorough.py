"""What `make test` leaves to `make test-thorough`: more of the same than it needs to find a fault.

By file, each line begins a test's name and says which test of `make test` holds the same in small:
another parameter of the same test, or a file.
"""

THOROUGH = {
    "training/test_distribution.py": {
        "test_as_one_process_when_batch_norm_is_synchronized[mirrored": "[workers",
        "test_workers_as_mirrored": "[workers",
        "test_saved_statistics_are_the_mean_of_all_replicas[mirrored": "[workers",
        "test_every_example_is_evaluated_once[mirrored": "[workers",
    },
    "training/test_run.py": {
        "test_stopped_and_killed": "training/test_loop.py, restored state",
    },
    "training/test_recipe_runs.py": {
        "test_recipe_runs[ghost_vgg16_cifar10]": "the other families",
    },
    "training/test_pipeline.py": {
        "test_shards_and_threads_do_not_matter[folder": "[records",
    },
    "training/test_loop.py": {
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
        "test_an_interrupted_run": "test_measure.py",
    },
    "export/graph/test_deploy.py": {
        "test_models_of_keras[EfficientNetB0]": "[MobileNetV3Large]",
        "test_models_of_keras[ResNet50]": "[MobileNet]",
        "test_our_models[maps]": "[logits]",
        "test_our_models[006]": "[002]",
        "test_flattening_alone_is_bit_identical[maps]": "[logits]",
        "test_flattening_alone_is_bit_identical[006]": "[002]",
        "test_nothing_of_ours_and_nothing_of_training_is_left[maps]": "[logits]",
        "test_nothing_of_ours_and_nothing_of_training_is_left[006]": "[002]",
        "test_no_shape_is_computed_at_run_time[MobileNetV3Small]": "[g_ghost",
    },
    "export/graph/test_lowering.py": {
        "test_files_of_every_target[g_ghost": "[ghostnet",
    },
    "export/graph/test_tuning.py": {
        "test_the_command": "test_what_pays_stays",
    },
    "export/test_formats.py": {
        "test_whole_networks[g_ghost": "[ghostnet_050]",
    },
    "export/test_exporting.py": {
        "test_quantization_aware_training": "quantization/test_command.py",
    },
    "export/quantization/test_bridge.py": {
        "test_applications[EfficientNetB0]": "[MobileNetV3Small]",
        "test_deployment_graphs[g_ghost": "[ghostnet_050]",
    },
    "export/saved_model/test_load.py": {
        "test_16_threads[quick]": "export/saved_model/test_clients.py",
    },
    "test_command.py": {
        "test_tensorflow_hears_of_it_and_is_quiet[train.py": "[ghostnet-None",
        "test_tensorflow_hears_of_it_and_is_quiet[ghostnet-0": "[ghostnet-None",
    },
    "test_counting.py": {
        "test_counting_leaves_no_nodes[MobileNetV2]": "[GhostNet]",
    },
    "test_model_file.py": {
        "test_published_networks[EfficientNetB0]": "[MobileNetV3Small]",
        "test_published_networks[ConvNeXtTiny]": "[MobileNetV3Small]",
    },
}
