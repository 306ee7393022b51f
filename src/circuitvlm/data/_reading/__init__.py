"""Read the files, images and tables that several data sources share."""
