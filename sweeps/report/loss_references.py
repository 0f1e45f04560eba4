"""The papers behind the registry's losses, in full, by the number that a loss's `source` names: arXiv, DOI, OpenReview."""

import re

from sweeps.report.references import UNET, Reference

_DOI = re.compile(r"doi (10\.\d+/[^\s),;]+)")
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
_OPENREVIEW = re.compile(r"openreview (\w+)")

_PAPERS = {
    "10.1007/978-3-319-24574-4_1": "Brosch T, Yoo Y, Tang LYW, et al. (2015). Deep convolutional encoder networks for multiple sclerosis "
    "lesion segmentation. MICCAI, LNCS 9351:3-11.",
    "10.1007/978-3-319-50835-1_22": "Rahman MA, Wang Y (2016). Optimizing intersection-over-union in deep neural networks for image "
    "segmentation. ISVC, LNCS 10072:234-244.",
    "10.1007/s10278-022-00735-3": "Yeung M, Rundo L, Nan Y, et al. (2023). Calibrating the Dice loss to handle neural network "
    "overconfidence for biomedical image segmentation. Journal of Digital Imaging 36:739-752.",
    "10.1016/j.media.2021.102035": "Ma J, Chen J, Ng M, et al. (2021). Loss odyssey in medical image segmentation. Medical Image "
    "Analysis 71:102035.",
    "10.1038/s41592-020-01008-z": "Isensee F, Jaeger PF, Kohl SAA, Petersen J, Maier-Hein KH (2021). nnU-Net: a self-configuring method "
    "for deep learning-based biomedical image segmentation. Nature Methods 18:203-211.",
    "10.1109/TMI.2020.3000314": "Wang G, Liu X, Li C, et al. (2020). A noise-robust framework for automatic segmentation of COVID-19 "
    "pneumonia lesions from CT images. IEEE Transactions on Medical Imaging 39(8):2653-2663.",
    "1504.06375": "Xie S, Tu Z (2015). Holistically-nested edge detection. ICCV, 1395-1403.",
    "1605.06885": "Wu Z, Shen C, van den Hengel A (2016). Bridging category-level and instance-level semantic image segmentation. "
    "Preprint.",
    "1606.04797": "Milletari F, Navab N, Ahmadi SA (2016). V-Net: fully convolutional neural networks for volumetric medical image "
    "segmentation. 3DV, 565-571.",
    "1608.04117": "Drozdzal M, Vorontsov E, Chartrand G, Kadoury S, Pal C (2016). The importance of skip connections in biomedical image "
    "segmentation. DLMIA, LNCS 10008:179-187.",
    "1705.08790": "Berman M, Rannen Triki A, Blaschko MB (2018). The Lovasz-softmax loss: a tractable surrogate for the optimization of "
    "the intersection-over-union measure in neural networks. CVPR, 4413-4421.",
    "1706.05721": "Salehi SSM, Erdogmus D, Gholipour A (2017). Tversky loss function for image segmentation using 3D fully convolutional "
    "deep networks. MLMI, LNCS 10541:379-387.",
    "1707.03237": "Sudre CH, Li W, Vercauteren T, Ourselin S, Cardoso MJ (2017). Generalised Dice overlap as a deep learning loss function "
    "for highly unbalanced segmentations. DLMIA, LNCS 10553:240-248.",
    "1708.02002": "Lin TY, Goyal P, Girshick R, He K, Dollar P (2017). Focal loss for dense object detection. ICCV, 2980-2988.",
    "1803.11078": "Hashemi SR, Salehi SSM, Erdogmus D, et al. (2018). Asymmetric loss functions and deep densely-connected networks for "
    "highly-imbalanced medical image segmentation: application to multiple sclerosis lesion detection. IEEE Access 7:1721-1735.",
    "1805.02798": "Taghanaki SA, Zheng Y, Zhou SK, et al. (2019). Combo loss: handling input and output imbalance in multi-organ "
    "segmentation. Computerized Medical Imaging and Graphics 75:24-33.",
    "1808.05238": "Zhu W, Huang Y, Zeng L, et al. (2019). AnatomyNet: deep learning for fast and fully automated whole-volume segmentation "
    "of head and neck anatomy. Medical Physics 46(2):576-589.",
    "1809.00076": "Wong KCL, Moradi M, Tang H, Syeda-Mahmood T (2018). 3D segmentation with exponential logarithmic loss for highly "
    "unbalanced object sizes. MICCAI, LNCS 11072:612-619.",
    "1810.07842": "Abraham N, Khan NM (2019). A novel focal Tversky loss function with improved attention U-Net for lesion segmentation. "
    "ISBI, 683-687.",
    "1812.07032": "Kervadec H, Bouchtiba J, Desrosiers C, et al. (2019). Boundary loss for highly unbalanced segmentation. MIDL, PMLR "
    "102:285-296.",
    "1904.10030": "Karimi D, Salcudean SE (2019). Reducing the Hausdorff distance in medical image segmentation with convolutional neural "
    "networks. IEEE Transactions on Medical Imaging 39(2):499-513.",
    "1908.03679": "Caliva F, Iriondo C, Martinez AM, Majumdar S, Pedoia V (2019). Distance map loss penalty term for semantic "
    "segmentation. MIDL.",
    "2003.07311": "Shit S, Paetzold JC, Sekuboyina A, et al. (2021). clDice: a novel topology-preserving loss function for tubular "
    "structure segmentation. CVPR, 16560-16569.",
    "2006.14822": "Jadon S (2020). A survey of loss functions for semantic segmentation. CIBCB, 1-7.",
    "2010.13454": "Abhishek K, Hamarneh G (2021). Matthews correlation coefficient loss for deep convolutional networks: application to "
    "skin lesion segmentation. ISBI, 225-229.",
    "2102.04525": "Yeung M, Sala E, Schonlieb CB, Rundo L (2022). Unified focal loss: generalising Dice and cross entropy-based losses to "
    "handle class imbalanced medical image segmentation. Computerized Medical Imaging and Graphics 95:102026.",
    "2104.08717": "Liu B, Dolz J, Galdran A, Kobbi R, Ben Ayed I (2023). Do we really need Dice? The hidden region-size biases of "
    "segmentation losses. Medical Image Analysis 91:103015.",
    "2204.12511": "Leng Z, Tan M, Liu C, et al. (2022). PolyLoss: a polynomial expansion perspective of classification loss functions. "
    "ICLR.",
    "2302.03868": "Celaya A, Riviere B, Fuentes D (2023). A generalized surface loss for reducing the Hausdorff distance in medical "
    "imaging segmentation. Preprint.",
    "2302.05666": "Wang Z, Ning X, Blaschko MB (2023). Jaccard metric losses: optimizing the Jaccard index with soft labels. NeurIPS 36.",
    "2308.00220": "Sun F, Luo Z, Li S (2023). Boundary difference over union loss for medical image segmentation. MICCAI, LNCS "
    "14223:292-301.",
    "2404.03010": "Kirchhoff Y, Rokuss MR, Roy S, et al. (2024). Skeleton recall loss for connectivity conserving and resource efficient "
    "segmentation of thin tubular structures. ECCV.",
    "H1lTh8unKN": "Yang S, Kweon J, Kim YH (2019). Major vessel segmentation on X-ray coronary angiography using deep networks with a "
    "novel penalty loss function. MIDL.",
}


def papers_in(source: str) -> list[Reference]:
    """Return the papers that a loss's source names; one that is not known here stands as the source has it."""
    found = [(number, f"https://doi.org/{number}") for number in _DOI.findall(source)]
    found += [(number, f"https://arxiv.org/abs/{number}") for number in _ARXIV.findall(source)]
    found += [(number, f"https://openreview.net/forum?id={number}") for number in _OPENREVIEW.findall(source)]
    papers = []
    for number, link in found:
        if number == "1505.04597":
            papers.append(UNET)
        else:
            papers.append(Reference(text=_PAPERS.get(number, source), link=link))
    return papers or [Reference(text=source)]
