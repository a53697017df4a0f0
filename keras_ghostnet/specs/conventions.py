"""What the specifications of all families share."""

# Side of the square images that a family was published for, pixels: `image_size` of its models.
IMAGENET_SIZE, CIFAR_SIZE = 224, 32
MIN_SIZE = 32  # of an image's side, pixels: five strides of 2 leave one pixel
